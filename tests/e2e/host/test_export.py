"""Exports: what is in the vault is whole, what fails says why, and nothing of a job stays behind."""

from tests.e2e.host.a_transfer import TOKEN, TransferHost


def test_a_namespace_is_exported_as_one_object_with_the_tools_own_counts(transfer: TransferHost) -> None:
    began = transfer.begin()
    assert began["state"] in ("running", "done")
    assert began["tool"] == {"name": "asbackup", "version": "4.5.8"}
    status = transfer.end()
    assert status["state"] == "done", transfer.log()
    [part] = status["parts"]
    size = 1000 * 7 + sum(len(str(number)) + 1 for number in range(1000)) + len("index a\nindex b\nudf m.lua\n") - 1000
    assert part["summary"] == {"records": 1000, "sindexes": 2, "udfs": 1, "bytes": part["summary"]["bytes"]}
    assert size
    assert transfer.objects == [f"test-00.{TOKEN}.asb.gz", f"test-00.{TOKEN}.files.json"]
    assert len(transfer.lines(f"test-00.{TOKEN}.asb.gz")) == 1003
