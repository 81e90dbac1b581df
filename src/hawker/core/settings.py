"""Every setting of a panel: name, default, help. From HAWKER_* variables, `hawker.toml`, `*_FILE` secrets.

docs/settings.md is tested against this class, so a setting without a line there fails the suite.
"""

import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from hawker.core.addresses import BadAddress, read_networks
from hawker.core.datadir import DataDir
from hawker.core.errors import NotSetUp

DEFAULT_DATA_DIR = Path("hawker-data")
_HOST_PATTERN = re.compile(r"\*|\.?[a-z0-9\-]+(\.[a-z0-9\-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)
_NO_URL = "not a connection string such as postgresql://user:password@host/name"


class Settings(BaseSettings):
    """One panel's settings. Unknown keys in hawker.toml are errors: a typo must not pass silently."""

    model_config = SettingsConfigDict(env_prefix="HAWKER_", extra="ignore", frozen=True)

    data_dir: Path = Field(DEFAULT_DATA_DIR, description="Folder of the panel's data and embedded database.")
    database_url: SecretStr | None = Field(None, description="Any PostgreSQL 15 or later instead of the embedded one.")
    postgres_bin: Path | None = Field(
        None, description="Folder of the programs (initdb, postgres) of the embedded database, instead of the wheel's."
    )
    database_role: str = Field(
        "hawker_app",
        pattern="^[a-z_][a-z0-9_]{0,62}$|^$",
        description="With database_url: the role to SET after the login; empty to keep the login role.",
    )
    currency: str = Field(
        "USD", pattern="^[A-Z]{3}$", description="Currency of all balances; it cannot change once there is data."
    )
    secret_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="Secret for sessions and pepper of API keys; created at the first start if unset.",
    )
    encryption_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="Secret under which providers' keys are encrypted; unset, secret_key serves. "
        "`hawker secrets rotate` makes another.",
    )
    former_encryption_key: SecretStr | None = Field(
        None, min_length=1, description="The one before, which still reads what is not encrypted anew."
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Lowest level of log lines that are written."
    )
    api_get_writes: bool = Field(
        default=False, description="Allow add, refill and cancel by GET; keys in URLs end up in logs."
    )
    api_max_body_bytes: int = Field(
        1_048_576, ge=1024, le=67_108_864, description="Largest request body; a larger one gets 413."
    )
    api_batch_size: int = Field(256, ge=1, le=10_000, description="Most requests in one database batch.")
    page_threads: int = Field(
        2,
        ge=1,
        le=64,
        description="Threads of each process that render pages; each holds at most one database connection.",
    )
    page_queue: int = Field(
        64, ge=0, le=10_000, description="Most page requests that wait for a thread; further ones answer 503."
    )
    page_max_body_bytes: int = Field(
        1_048_576, ge=1024, le=67_108_864, description="Largest request body for a page; larger answers 413."
    )
    allowed_hosts: str = Field(
        "*",
        description="Names of the site that pages answer under, separated by commas; .example.com also stands for all "
        "names below it, * for any. Others answer 400. API v2 and health endpoints answer under every name.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks of your own proxies, separated by commas; only they are believed "
        "when they tell a caller's address (X-Forwarded-For).",
    )
    request_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Time for a client to send a request, or to read its response, before it is disconnected.",
    )
    connections_per_address: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="Most connections from one address to one process, except from trusted proxies; 0 for no limit.",
    )
    limit_key_per_minute: int = Field(
        0, ge=0, le=1_000_000, description="Requests a minute for each API key; 0 for no limit."
    )
    limit_address_per_minute: int = Field(
        0, ge=0, le=1_000_000, description="API requests a minute from each address; 0 for no limit."
    )
    limit_in_flight_per_account: int = Field(
        0, ge=0, le=1_000, description="API requests of one account in progress at the same time; 0 for no limit."
    )
    limit_failed_keys_per_minute: int = Field(
        60, ge=0, le=1_000_000, description="Wrong API keys a minute from each address; 0 for no limit."
    )
    minimum_margin_percent: int = Field(
        0,
        ge=0,
        le=1_000,
        description="An order is sent only if its charge is this much above its cost; otherwise it is held.",
    )
    request_id_days: int = Field(
        30, ge=1, le=3650, description="Days for which a request_id returns its order; after that it places a new one."
    )
    poll_min_seconds: float = Field(5.0, gt=0, description="Shortest wait between two polls of one order.")
    poll_max_seconds: float = Field(1800.0, gt=0, description="Longest wait between two polls of one order.")

    check_every_hours: int = Field(
        24, ge=1, le=720, description="How often a worker checks every invariant, as `hawker verify` does."
    )
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="A request with this token (Authorization: Bearer) may read /metrics from other machines.",
    )

    feed_seconds: float = Field(
        300.0, gt=0, description="Wait between two fetches of a subscription's feed; longer after failures."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of precedence: arguments, environment, `*_FILE` secrets, hawker.toml, secrets.toml."""
        del dotenv_settings, file_secret_settings
        return (init_settings, env_settings, _FileVariables(settings_cls), _DataDirFiles(settings_cls))

    @field_validator("database_url")
    @classmethod
    def _check_url(cls, url: SecretStr | None) -> SecretStr | None:
        # Imported here, because most commands work on the embedded database and need no driver to read settings.
        from psycopg import ProgrammingError, conninfo

        try:
            if url is not None and not conninfo.conninfo_to_dict(url.get_secret_value()):
                raise ValueError(_NO_URL)
        except ProgrammingError as error:
            raise ValueError(_NO_URL) from error
        return url

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, text: str) -> str:
        for name in text.split(","):
            if not _HOST_PATTERN.fullmatch(name.strip()):
                raise ValueError(f"{name.strip()!r} is not a host name without port, such as panel.example.com")
        return text

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, text: str) -> str:
        try:
            read_networks(text)
        except BadAddress as error:
            raise ValueError(str(error)) from error
        return text

    def require_secret(self) -> str:
        """The secret key. Raises NotSetUp where the panel has none yet."""
        if self.secret_key is None:
            raise NotSetUp(
                "there is no secret key yet: `hawker up` or `hawker migrate` makes one; if the panel runs "
                "on another machine already, copy its secrets.toml or set HAWKER_SECRET_KEY"
            )
        return self.secret_key.get_secret_value()

    def secrets(self) -> tuple[str, ...]:
        """What must never be shown: every setting that is a secret, and the password inside the database's address."""
        from psycopg import conninfo

        set_ones = [value for _, value in self if isinstance(value, SecretStr)]
        password = conninfo.conninfo_to_dict(self.database_url.get_secret_value()) if self.database_url else {}
        return (*(value.get_secret_value() for value in set_ones), str(password.get("password") or ""))

    @property
    def folder(self) -> DataDir:
        return DataDir(self.data_dir.expanduser().absolute())


class UnreadableSettings(Exception):
    """A settings file that cannot be used, said in one sentence."""


class _FileVariables(EnvSettingsSource):
    """HAWKER_SECRET_KEY_FILE=/run/secrets/x reads the value from that file (containers, systemd)."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        path = os.environ.get(_file_variable(field_name))
        value = Path(path).read_text(encoding="utf-8").strip() if path else None
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        try:
            return super().__call__()
        except SettingsError as error:
            # The name and what is wrong, and nothing of what the file holds.
            named = [name for name in map(_file_variable, Settings.model_fields) if name in os.environ]
            reason = getattr(error.__cause__, "strerror", None) or "it is not UTF-8 text"
            raise UnreadableSettings(f"what {' or '.join(named)} names cannot be read: {reason}") from error


def _file_variable(field_name: str) -> str:
    return f"HAWKER_{field_name.upper()}_FILE"


class _DataDirFiles(PydanticBaseSettingsSource):
    """hawker.toml over secrets.toml, both in the data folder that the sources above have named."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        folder = DataDir(Path(self.current_state.get("data_dir", DEFAULT_DATA_DIR)).expanduser().absolute())
        return _read_toml(folder.secrets_file) | _read_toml(folder.settings_file)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UnreadableSettings(f"{path} cannot be read: {error}") from error
    unknown = sorted(set(values) - set(Settings.model_fields) | ({"data_dir"} & set(values)))
    if unknown:
        raise UnreadableSettings(f"{path}: no such setting: {', '.join(unknown)}")
    return values


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()  # type: ignore[call-arg]  # pydantic fills the fields from the sources
