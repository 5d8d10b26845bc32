"""Values that are not shown to who may only read."""

from __future__ import annotations

import pytest

from flink_jobs_provider.gateway.apis.job_inputs import (
    masked_args,
    masked_options,
    masked_text,
    names_secret,
)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "--db-password", "dbPassword", "DB_PASSWORD", "passwd", "ssl.passphrase"),
        *("secret", "s3.secret-key", "clientSecret", "token", "--auth-token", "sasToken"),
        *("key", "s3.access-key", "fs.azure.account.key.x.dfs.core.windows.net", "accountKey"),
        *("apikey", "API_KEY", "credentials", "sasl.jaas.config", "pwd", "sig"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("--topic", "parallelism", "monkey", "keyed-state", "bypass", "compass.url", "design"),
        *("execution.checkpointing.interval", "state.backend.type", "turkey", "passenger"),
    ],
)
def test_other_names(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ("--topic orders  --n 3", "--topic orders  --n 3"),
        ("--password hunter2 --topic a", "--password *** --topic a"),
        ("--password  hunter2", "--password  ***"),
        ("--password -hunter2 b", "--password *** b"),
        ("--password --topic a", "--password --topic a"),
        ("-p x --password=hunter2", "-p x --password=***"),
        ("-Ds3.secret-key=hunter2 a", "-Ds3.secret-key=*** a"),
        ("db.password=hunter2", "db.password=***"),
        ("--password=hunt,er2&x;y", "--password=***"),
        ("""{"password":"hunter's","topic":"a"}""", '{"password":"***","topic":"a"}'),
        ("--c user=u;password='hunter2", "--c user=u;password='***'"),
        ("--url jdbc:pg://u:hunter2@h/d", "--url jdbc:pg://***@h/d"),
        ("--url https://h/p?sig=hunter2&a=b", "--url https://h/p?sig=***&a=b"),
        ('{"password":"hunter2","topic":"a"}', '{"password":"***","topic":"a"}'),
        ("--a 'b password=hunter2 c'", "--a 'b password=*** c'"),
        ("--group-by key --topic a", "--group-by key --topic a"),
        ("", ""),
        ("--password\thunter2 --x", "--password\t*** --x"),
        ("--topic a\n--password hunter2\n", "--topic a\n--password ***\n"),
        ("--password\xa0hunter2", "--password\xa0***"),
        ("'Authorization: Bearer hunter2' x", "'Authorization: Bearer *** x"),
        ("-H Authorization: Basic hunter2", "-H Authorization: Basic ***"),
        ("--mode basic --topic orders", "--mode basic --topic orders"),
        ("--password", "--password"),
    ],
)
def test_arguments(args: str, shown: str) -> None:
    assert masked_args(args) == shown


def test_options() -> None:
    jaas = 'org.apache.Plain required username="u" password="hunter2";'
    given = {
        "s3.secret-key": "hunter2",
        "properties.sasl.jaas.config": jaas,
        "env.java.opts": f"-Dx=1 -Dpassword=hunter2 {jaas}",
        "execution.checkpointing.interval": "10s",
    }
    shown = masked_options(given)
    assert "hunter2" not in str(shown)
    assert shown["execution.checkpointing.interval"] == "10s"
    assert shown["env.java.opts"].startswith("-Dx=1 -Dpassword=*** ")


def test_texts() -> None:
    assert masked_text("cannot reach pg://u:p@h: password: 'x y'") == (
        "cannot reach pg://***@h: password: '***'"
    )
