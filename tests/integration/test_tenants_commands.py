"""manage.py create_tenant, create_api_key, rotate_api_key, revoke_api_key."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.core.enums import KeyMode, Scope
from apps.tenants import models
from apps.tenants.selectors import caller_by_token, forget_cached

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_cached()


def run(*words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*words, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def test_a_tenant_comes_with_a_key_shown_once() -> None:
    out, err = run("create_tenant", "acme", "--name", "Acme", "--timezone", "Europe/Zurich")
    caller = caller_by_token(out.strip())
    assert caller is not None
    assert (caller.tenant.slug, caller.tenant.timezone, caller.mode) == ("acme", "Europe/Zurich", KeyMode.TEST)
    assert caller.scopes == frozenset({Scope.ADMIN})
    assert out.strip() not in err
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("acme", "--name", "Acme again"), "already exists"),
        (("Not a slug", "--name", "x"), "slug"),
        (("globex", "--name", "x", "--locale", "klingon"), "klingon"),
        (("globex", "--name", "x", "--timezone", "CEST"), "CEST"),
        (("globex", "--name", "x", "--scopes", "everything"), "notifications:write"),
    ],
)
def test_it_refuses_and_leaves_nothing_behind(words: tuple[str, ...], complaint: str) -> None:
    run("create_tenant", "acme", "--name", "Acme")
    with pytest.raises(CommandError, match=complaint):
        run("create_tenant", *words)
    assert (models.Tenant.objects.count(), models.ApiKey.objects.all_tenants().count()) == (1, 1)


def test_keys_are_added_rotated_and_revoked() -> None:
    run("create_tenant", "acme", "--name", "Acme")
    scopes = ("--scopes", "notifications:write", "users:write")
    old = run("create_api_key", "acme", "--key-name", "checkout", "--key-mode", "live", *scopes)[0].strip()
    prefix = old.split("_")[2]
    caller = caller_by_token(old)
    assert caller is not None
    assert (caller.key_name, caller.mode) == ("checkout", KeyMode.LIVE)
    assert caller.scopes == frozenset({Scope.NOTIFICATIONS_WRITE, Scope.USERS_WRITE})
    new = run("rotate_api_key", "acme", prefix, "--overlap-hours", "1")[0].strip()
    assert [caller_by_token(token) is not None for token in (old, new)] == [True, True]
    now = run("rotate_api_key", "acme", prefix, "--overlap-hours", "0")[0].strip()
    assert [caller_by_token(token) is not None for token in (old, new, now)] == [False, False, True]
    assert run("revoke_api_key", "acme", prefix) == ("", "Revoked.\n")
    assert caller_by_token(now) is None
    for command in ("revoke_api_key", "rotate_api_key"):
        with pytest.raises(CommandError):
            run(command, "acme", prefix)


def test_they_refuse_unknown_tenants_and_keys_of_others() -> None:
    run("create_tenant", "acme", "--name", "Acme")
    run("create_tenant", "globex", "--name", "Globex")
    prefix = models.ApiKey.objects.all_tenants().get(tenant__slug="acme").prefix
    for words in [
        ("create_api_key", "nobody"),
        ("revoke_api_key", "globex", prefix),
        ("rotate_api_key", "globex", prefix),
    ]:
        with pytest.raises(CommandError):
            run(*words)
    assert models.ApiKey.objects.all_tenants().filter(revoked_at=None, previous_hash=None).count() == 2
