"""Servers that offer TLS alone, and servers that want a login: asked all the same, or refused in clear words."""

import shlex
import ssl
import sys
from pathlib import Path

import pytest
import trustme

from tests.e2e.host.a_host import Host, Result

NAME = "cluster.example"
FAKE = Path(__file__).with_name("fake_asinfo.py")
USER = "backup-operator"


def codes(result: Result) -> list[str]:
    """What is wrong, but for the disks of this machine."""
    return [problem["code"] for problem in result["problems"] if problem["code"] != "no_ebs_volume"]


def stops_and_lets_go(host: Host) -> Result:
    code, armed = host.stop(lead_s=10.0, lease_s=12.0)
    assert code == 0, armed
    host.wait_for_state("holding")
    assert host.setting("reject-non-xdr-writes") == "true"
    evidence: Result = host.resume()["evidence"]
    assert (evidence["ended_by"], evidence["guarded_all"]) == ("resume", True), evidence["errors"]
    assert evidence["namespaces"]["test"]["unchanged"]
    assert host.is_as_before()
    return evidence


# -- TLS


class Certified:
    """A host whose server offers TLS alone, with a certificate of an authority of its own."""

    def __init__(self, host: Host) -> None:
        self.host, self.authority = host, trustme.CA()
        self.own = self.authority.issue_cert(NAME)
        self.files = {name: host.root / f"{name}.pem" for name in ("ca", "cert", "key")}
        self.authority.cert_pem.write_to_path(self.files["ca"])
        self.own.cert_chain_pems[0].write_to_path(self.files["cert"])
        self.own.private_key_pem.write_to_path(self.files["key"])
        self.present(self.own)

    def present(self, certificate: trustme.LeafCert, *, mutual: bool = False) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        if mutual:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        self.host.server.tls = context

    def conf(self, *settings: str, service: str = "") -> None:
        port = self.host.server.port
        lines = "\n".join(f"  {line}" for line in settings)
        text = self.host.conf.read_text().replace(
            f"  port {port}\n }}\n",
            f"  tls-port {port}\n  tls-name {NAME}\n{service} }}\n tls {NAME} {{\n{lines}\n }}\n",
        )
        self.host.conf.write_text(text)


@pytest.fixture
def certified(host: Host) -> Certified:
    return Certified(host)


def test_writes_are_stopped_over_tls_with_the_authority_of_the_conf(certified: Certified) -> None:
    files = certified.files
    certified.conf(f"ca-file {files['ca']}", f"cert-file {files['cert']}", service="  tls-authenticate-client false\n")
    survey = certified.host.call("survey")[1]
    assert (survey["asd"]["tls"], codes(survey)) == (True, [])
    stops_and_lets_go(certified.host)


def test_without_an_authority_the_conf_s_own_certificate_is_the_only_one_to_be_trusted(certified: Certified) -> None:
    certified.conf(f"cert-file {certified.files['cert']}", "ca-file secrets:vault:ca")
    assert certified.host.call("survey")[1]["asd"]["build"] == "8.1.2.0"
    certified.present(trustme.CA().issue_cert(NAME))
    code, refused = certified.host.call("survey")
    assert (code, refused["error"]["code"]) == (5, "asd_silent"), refused
    assert "not that of" in refused["error"]["detail"]


def test_a_certificate_of_another_authority_is_not_trusted(certified: Certified) -> None:
    certified.conf(f"ca-file {certified.files['ca']}")
    certified.present(trustme.CA().issue_cert(NAME))
    code, refused = certified.host.stop()
    assert (code, refused["error"]["code"]) == (5, "asd_silent"), refused
    assert "certificate verify failed" in refused["error"]["detail"]
    assert certified.host.server.applied == []


def test_a_server_that_wants_the_client_s_certificate_is_shown_its_own(certified: Certified) -> None:
    certified.present(certified.own, mutual=True)
    files = certified.files
    certified.conf(f"ca-file {files['ca']}", f"cert-file {files['cert']}", f"key-file {files['key']}")
    assert certified.host.call("survey")[1]["asd"]["build"] == "8.1.2.0"


def test_without_a_certificate_to_trust_nothing_is_asked(certified: Certified) -> None:
    certified.conf("cert-file secrets:vault:cert", "key-file env:KEY")
    code, refused = certified.host.stop()
    assert (code, refused["error"]["code"]) == (3, "tls_unreadable")
    assert "tls_unreadable" in codes(certified.host.call("survey")[1])


# -- login


@pytest.fixture
def guarded_by_login(host: Host) -> Host:
    """Its server answers only those who have logged in."""
    host.program_on_path("asinfo", f'exec {shlex.quote(sys.executable)} {shlex.quote(str(FAKE))} "$@"\n')
    ask = host.server.answer

    def answer(command: str) -> str:
        user, at, question = command.partition("@")
        return ask(question) if at and user == USER else "ERROR:80:not authenticated"

    host.server.answer = answer  # type: ignore[method-assign]
    return host


def astools(host: Host, *, user: str = USER, mode: int = 0o600) -> None:
    file = host.root / "etc/aerospike/astools.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'[cluster]\nuser = "{user}"\npassword = "hunter2"\n')
    file.chmod(mode)


def test_writes_are_stopped_through_the_host_s_own_asinfo(guarded_by_login: Host) -> None:
    astools(guarded_by_login)
    survey = guarded_by_login.call("survey")[1]
    assert (survey["asd"]["security_enabled"], survey["asd"]["logs_in"], codes(survey)) == (True, True, [])
    stops_and_lets_go(guarded_by_login)
    run = guarded_by_login.root / "run/aerokeep/r1"
    assert not [file for file in run.rglob("*") if file.is_file() and b"hunter2" in file.read_bytes()]


def test_a_lease_through_asinfo_has_ended_by_t1(guarded_by_login: Host) -> None:
    astools(guarded_by_login)
    code, armed = guarded_by_login.stop(lead_s=10.0, lease_s=10.0)
    assert code == 0, armed
    evidence = guarded_by_login.evidence(within_s=40.0)
    assert evidence["ended_by"] == "lease"
    assert evidence["times"]["lift_started"] < armed["end_at"]
    assert guarded_by_login.is_as_before()


@pytest.mark.parametrize(
    ("user", "mode"), [(USER, 0o644), ("somebody", 0o600)], ids=["others may read it", "wrong login"]
)
def test_without_a_login_of_its_own_nothing_is_changed(guarded_by_login: Host, user: str, mode: int) -> None:
    astools(guarded_by_login, user=user, mode=mode)
    code, refused = guarded_by_login.stop()
    assert (code, refused["error"]["code"]) == (3, "security_enabled")
    assert "astools.conf" in refused["error"]["detail"]
    assert "security_enabled" in codes(guarded_by_login.call("survey")[1])
    assert guarded_by_login.server.applied == []


def test_without_asinfo_it_says_so(guarded_by_login: Host) -> None:
    astools(guarded_by_login)
    (guarded_by_login.bin / "asinfo").unlink()
    guarded_by_login.path = f"{guarded_by_login.bin}:{Path(sys.executable).parent}:/usr/bin:/bin"
    code, refused = guarded_by_login.stop()
    assert (code, refused["error"]["code"]) == (3, "security_enabled")
    assert "asinfo" in refused["error"]["detail"]


def test_an_asinfo_that_hangs_is_ended_and_the_guard_lifted_all_the_same(guarded_by_login: Host) -> None:
    """The one that sets the guard hangs for longer than the lease; the next ones are answered."""
    astools(guarded_by_login)
    hung = guarded_by_login.root / "hung"
    guarded_by_login.program_on_path(
        "asinfo",
        f'case "$*" in *=true*) if [ ! -e {hung} ]; then touch {hung}; '
        f'{shlex.quote(sys.executable)} {shlex.quote(str(FAKE))} "$@" >/dev/null; sleep 60; fi;; esac\n'
        f'exec {shlex.quote(sys.executable)} {shlex.quote(str(FAKE))} "$@"\n',
    )
    code, armed = guarded_by_login.stop(lead_s=10.0, lease_s=8.0)
    assert code == 0, armed
    evidence = guarded_by_login.evidence(within_s=40.0)
    assert evidence["ended_by"] in {"lease", "failure"}
    assert hung.exists()
    assert guarded_by_login.is_as_before()
