"""How a unit starts its server is read from its files, and changed for the first start, whatever it looks like."""

from pathlib import Path

import pytest
from aerokeep_node.tree import Tree
from aerokeep_node.unit_files import (
    conf_in,
    drop_in_text,
    exec_start,
    first_start_command,
    parse_cat,
    read_fragments,
    without_ours,
)

PACKAGED = "/usr/bin/asd $ASD_OPTIONS --config-file $ASD_CONFIG_FILE --fgdaemon"
SERVICE = f"""\
[Unit]
Description=Aerospike Server
# ExecStart=/usr/bin/false

[Service]
EnvironmentFile=/etc/sysconfig/aerospike
ExecStartPre=/usr/bin/asd-systemd-helper
ExecStart={PACKAGED}
"""
OURS = "/etc/systemd/system/aerospike.service.d/aerokeep-first-start.conf"
FIRST = "/etc/aerospike/aerokeep-first-start.conf"
OPTIONS = f"--config-file {FIRST} --cold-start"


def test_the_output_of_cat_is_split_at_the_names_of_the_files() -> None:
    shown = f"# /usr/lib/systemd/system/aerospike.service\n{SERVICE}\n# {OURS}\n[Service]\nExecStart=\nExecStart=x\n"
    fragments = parse_cat(shown)
    assert [path for path, _ in fragments] == ["/usr/lib/systemd/system/aerospike.service", OURS]
    assert exec_start(fragments) == "x"
    assert exec_start(without_ours(fragments)) == PACKAGED


def test_the_cat_of_a_masked_unit_tells_no_command() -> None:
    assert exec_start(parse_cat("# Unit aerospike.service is masked.\n")) is None


def test_the_last_command_counts_and_an_empty_one_takes_back() -> None:
    assert exec_start([("a", "ExecStart=one\n"), ("b", "ExecStart=\nExecStart=two \\\n   --more\n")]) == "two  --more"
    assert exec_start([("a", "ExecStart=one\n"), ("b", "ExecStart=\n")]) is None


def test_the_files_of_a_masked_unit_are_found_where_systemd_looks(tmp_path: Path) -> None:
    etc, usr = tmp_path / "etc/systemd/system", tmp_path / "usr/lib/systemd/system"
    for folder in (etc / "aerospike.service.d", usr / "aerospike.service.d"):
        folder.mkdir(parents=True)
    (etc / "aerospike.service").symlink_to("/dev/null")
    (usr / "aerospike.service").write_text(SERVICE)
    (usr / "aerospike.service.d/10-limits.conf").write_text("[Service]\nExecStart=\nExecStart=weaker\n")
    (etc / "aerospike.service.d/10-limits.conf").write_text("[Service]\nLimitNOFILE=1\n")
    (etc / "aerospike.service.d/aerokeep-first-start.conf").write_text(drop_in_text("ours"))
    fragments = read_fragments(Tree(str(tmp_path)))
    assert exec_start(fragments) == "ours"
    assert exec_start(without_ours(fragments)) == PACKAGED


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        (PACKAGED, f"/usr/bin/asd $ASD_OPTIONS {OPTIONS} --fgdaemon"),
        ("/usr/bin/asd --config-file=/etc/a.conf --fgdaemon", f"/usr/bin/asd {OPTIONS} --fgdaemon"),
        ("-/usr/bin/asd -f ${CONF} --fgdaemon", f"-/usr/bin/asd {OPTIONS} --fgdaemon"),
        ('/usr/bin/asd --config-file "/etc/my conf/a.conf"', f"/usr/bin/asd {OPTIONS}"),
        ("/usr/bin/asd --fgdaemon", f"/usr/bin/asd --fgdaemon {OPTIONS}"),
        ("/bin/sh -c 'exec asd --config-file /a --fgdaemon'", f"/bin/sh -c 'exec asd {OPTIONS} --fgdaemon'"),
    ],
)  # fmt: skip
def test_a_first_start_names_its_own_conf_and_is_cold(command: str, changed: str) -> None:
    assert first_start_command(command, FIRST) == changed


def test_what_systemd_would_expand_in_a_path_is_escaped() -> None:
    assert first_start_command("asd", "/a %b/$c") == 'asd --config-file "/a %%b/$$c" --cold-start'


@pytest.mark.parametrize(
    ("command", "conf"),
    [
        (PACKAGED, None),
        ("asd --config-file /srv/asd.conf --fgdaemon", "/srv/asd.conf"),
        ('asd --config-file="/srv/my asd.conf"', "/srv/my asd.conf"),
        ("asd -f /srv/asd.conf", "/srv/asd.conf"),
        ("asd --config-file /srv/%i.conf", None),
        ("asd --fgdaemon", None),
    ],
)
def test_a_conf_that_the_unit_names_literally_is_known(command: str, conf: str | None) -> None:
    assert conf_in(command) == conf
