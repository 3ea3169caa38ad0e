"""The steps of ``stage``: everything is looked at before the first change, and each change can be taken back."""

import os
import re
from typing import Any, Dict, List, Mapping, Optional

from aerokeep_node.asd import DEFAULT_WORK_DIRECTORY, Asd
from aerokeep_node.clock import read_clock
from aerokeep_node.conf import Context, parse_conf
from aerokeep_node.conf_staging import judge_file_sizes, staged_text
from aerokeep_node.conf_text import first_start_text
from aerokeep_node.device_sets import check_set
from aerokeep_node.downloads import fetch_file
from aerokeep_node.first_start import FirstStart
from aerokeep_node.fstab import stage_fstab
from aerokeep_node.kept_file import KeptFile
from aerokeep_node.mounting import mount_volume
from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.run_directory import STAGED, RunDirectory
from aerokeep_node.smd_staging import SmdStaging, judge_smd
from aerokeep_node.stage_order import DeviceOrder, Order
from aerokeep_node.unit import Unit
from aerokeep_node.volumes import backing_of, volume_node

_PARTITION = re.compile(r"(?:/nvme\d+n\d+p|-part)(\d+)$")


class Staging:
    """One order on this host."""

    def __init__(self, directory: RunDirectory, unit: Unit, order: Order) -> None:
        self.directory = directory
        self.tree = directory.tree
        self.unit = unit
        self.order = order
        self.conf = KeptFile(Asd(self.tree).conf_path, directory.run)
        self.rewritten: Dict[str, str] = {}
        self.headers: Dict[str, Dict[str, Any]] = {}

    def do(self) -> Dict[str, Any]:
        """Go through all steps.

        Raises:
            RefusalError: what stands in the way; every code is one of the contract's.

        """
        clock = self._judge_clock()
        self._find_devices()
        smd = {one.name: fetch_file(one, self.directory) for one in self.order.smd_files}
        judge_smd(smd, self.order.cut_at)
        text = staged_text(self._base(), self.order, self.rewritten)
        first = self._first_start_text(text)
        self._check_sets(files=False)
        # From here on something changes: mounts first, since files, and perhaps the work directory, lie on them.
        self._mount()
        self._check_sets(files=True)
        judge_file_sizes(text)
        work_directory = work_directory_of(parse_conf(text))
        stage_fstab(self.order.volumes, self.directory)
        self.directory.write(STAGED, {"conf_path": self.conf.path, "work_directory": work_directory})
        self._stage_smd(SmdStaging(work_directory, self.directory.run), smd)
        self.conf.put(text)
        settings = FirstStart(self.unit, self.conf.path)
        if first is None:
            settings.remove()
        else:
            settings.put(first, like=self.conf.path)
        return {
            "staged": True,
            "headers": self.headers,
            "conf_path": self.conf.path,
            "clock": clock,
            "rewritten": self.rewritten,
        }

    def _judge_clock(self) -> Dict[str, Any]:
        reading = read_clock()
        limit_s = self.order.clock_error_s
        if limit_s is not None:
            # Not only the bound: a server would take the host's time as it is, offset and all.
            furthest_s = abs(reading.offset_s) + reading.error_s
            if not reading.synchronised or furthest_s > limit_s:
                detail = f"{reading.source}: off by up to {furthest_s:.3f} s, {limit_s} s allowed"
                raise NotNowError("clock_unsynchronised", detail if reading.synchronised else "not synchronised")
        return dict(reading.as_json())

    def _find_devices(self) -> None:
        """Find every volume, and the names under which the conf must have its devices here."""
        missing = [one.volume_id for one in self.order.volumes if volume_node(one.volume_id, self.tree) is None]
        ephemeral = [one for one in self.order.devices if one.volume_id is None and not self._is_file(one)]
        missing += [one.path for one in ephemeral if not os.path.exists(one.path)]
        if missing:
            raise NotNowError("device_missing", "not here yet: {}".format(", ".join(missing)))
        for device in self.order.devices:
            if device.volume_id is None or self._is_file(device):
                continue
            if not self._shows(device.path, device.volume_id):
                self.rewritten[device.path] = self._name_here(device.path, device.volume_id)

    def _is_file(self, device: DeviceOrder) -> bool:
        in_dev = device.path.startswith(("/dev/", self.tree.path("dev") + "/"))
        return device.role == "file" or not in_dev or self.order.mount_of(device) is not None

    def _shows(self, path: str, volume_id: str) -> bool:
        try:
            return backing_of(os.path.realpath(path), self.tree).volume_id == volume_id
        except OSError:
            return False

    def _name_here(self, path: str, volume_id: str) -> str:
        node = volume_node(volume_id, self.tree)
        partition = _PARTITION.search(path)
        name = "{}{}".format(node, f"-part{partition.group(1)}" if partition else "")
        if not os.path.exists(name):
            raise NotNowError("device_missing", f"{name} is not there, for {path}")
        return name

    def _base(self) -> str:
        if self.order.conf_action == "replace":
            return fetch_file(self.order.conf_files[0], self.directory).decode("utf-8", "replace")
        former = self.conf.former()
        if former is None:
            raise RefusalError("conf_unreadable", f"{self.conf.path} is not there, and none was sent")
        return former

    def _first_start_text(self, text: str) -> Optional[str]:
        if not self.order.first_start:
            return None
        return first_start_text(text, self.order.reject_writes, self.order.cold_start_empty)

    def _check_sets(self, *, files: bool) -> None:
        """Check the sets whose devices are files, or those whose are not: the latter need no mount."""
        for wanted in self.order.sets:
            devices = self.order.saved_devices(wanted.namespace)
            if any(self._is_file(device) for device in devices) == files:
                self.headers.update(check_set(wanted, self._readable(devices)))

    def _readable(self, devices: List[DeviceOrder]) -> Mapping[str, str]:
        return {device.path: self.rewritten.get(device.path, device.path) for device in devices}

    def _mount(self) -> None:
        for volume in self.order.volumes:
            mount = volume.mount
            if mount is not None:
                mount_volume(
                    mount.point,
                    volume_id=volume.volume_id,
                    fs_type=mount.fs_type,
                    options=mount.options,
                    tree=self.tree,
                )

    def _stage_smd(self, staging: SmdStaging, files: Mapping[str, bytes]) -> None:
        if self.order.smd_action == "keep":
            staging.put_back()
            if self.order.cut_at is not None:
                judge_smd(staging.files(), self.order.cut_at)
        else:
            staging.replace(files if self.order.smd_action == "replace" else {})


def work_directory_of(conf: Context) -> str:
    """Give the folder in which a server with this conf keeps its SMD."""
    service = conf.child("service")
    return (service.get("work-directory") if service else None) or DEFAULT_WORK_DIRECTORY
