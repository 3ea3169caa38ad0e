"""Take back what ``stage`` and the unmounting of ``stop`` did in a run, from whatever point they had come to."""

from typing import Any, Dict, List, Set, Tuple

from aerokeep_node.asd import Asd
from aerokeep_node.conf import parse_conf
from aerokeep_node.first_start import FirstStart
from aerokeep_node.fstab import put_fstab_back
from aerokeep_node.kept_file import KeptFile
from aerokeep_node.mounting import mount_source, mount_volume
from aerokeep_node.refusal import NotNowError
from aerokeep_node.run_directory import STAGED, STOPPED, RunDirectory
from aerokeep_node.smd_staging import SmdStaging
from aerokeep_node.staging import work_directory_of
from aerokeep_node.tree import read_text
from aerokeep_node.unit import Unit


def put_all_back(directory: RunDirectory, unit: Unit) -> Dict[str, Any]:
    """Put everything back; called again, there is nothing left to do. The unit stays masked."""
    staged = directory.read(STAGED) or {}
    conf = KeptFile(staged.get("conf_path") or Asd(directory.tree).conf_path, directory.run)
    put_back = []
    # First of all: whatever follows may be cut short, and these must not outlive the restore.
    if FirstStart(unit, conf.path).remove():
        put_back.append("first_start")
    if put_fstab_back(directory):
        put_back.append("fstab")
        # Before anything is mounted: systemd unmounts what a unit made of a stale fstab binds to an absent device.
        unit.reload()
    mounted, not_mounted = _mount_again(directory)
    put_back += mounted
    folders = _work_directories(conf)
    if staged.get("work_directory"):
        folders.add(staged["work_directory"])
    for folder in sorted(folders):
        if SmdStaging(folder, directory.run).put_back():
            put_back.append("smd")
    if conf.put_back():
        put_back.append("conf")
    return {"staged": False, "put_back": put_back, "not_mounted": not_mounted}


def _work_directories(conf: KeptFile) -> Set[str]:
    texts = [read_text(conf.path), conf.former()]
    return {work_directory_of(parse_conf(text)) for text in texts if text is not None}


def _mount_again(directory: RunDirectory) -> Tuple[List[str], List[str]]:
    """Mount what ``stop`` unmounted, the outermost first; a device that is not there is told, not waited for."""
    mounts = (directory.read(STOPPED) or {}).get("mounts", {})
    mounted, not_mounted = [], []
    for point in sorted(mounts, key=len):
        former = mounts[point]
        kind = {"fs_type": former["fs_type"], "options": former["options"], "tree": directory.tree}
        try:
            if former["volume_id"] is not None:
                done = mount_volume(point, volume_id=former["volume_id"], **kind)
            else:
                done = mount_source(point, source=former["source"], **kind)
        except NotNowError as error:
            if error.code != "device_missing":
                raise
            not_mounted.append(point)
            continue
        if done:
            mounted.append("mount:" + point)
    return mounted, not_mounted
