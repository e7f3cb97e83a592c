"""`python -m hub.postgres DIR PROGRAM …` runs psql, pg_dump or another client on the Postgres in a data directory.

It sets the address and the password. If no server runs, it starts one while the program runs. `--create` before DIR creates a
missing cluster, to restore into.
"""

import subprocess
import sys
from pathlib import Path

from hub.errors import HubError
from hub.postgres.binaries import find_programs
from hub.postgres.cluster import DATABASE, ROLE, cluster_version
from hub.postgres.data_dir import prepare
from hub.postgres.pidfile import HOST
from hub.postgres.server import ensure

USAGE = "usage: python -m hub.postgres [--create] DIR PROGRAM [ARGUMENT …], e.g. pg_dump -Fc -f hub.dump"


def main(arguments: list[str]) -> int:
    create = arguments[:1] == ["--create"]
    if create:
        arguments = arguments[1:]
    if len(arguments) < 2:
        print(USAGE, file=sys.stderr)
        return 2
    data_dir, name, *rest = arguments
    try:
        directory = prepare(Path(data_dir), create=create)
        binaries = find_programs(cluster_version(directory))
        if name not in {path.name for path in binaries.bin.iterdir()}:
            print(f"{name} is not a program of PostgreSQL {binaries.version}\n{USAGE}", file=sys.stderr)
            return 2
        with ensure(directory.root, create=create) as server:
            # `env` extends the caller's environment, because psql needs the terminal's variables.
            address = {
                "HOST": HOST,
                "PORT": server.port,
                "USER": ROLE,
                "DATABASE": DATABASE,
                "PASSFILE": directory.password_file,
            }
            settings = [f"PG{key}={value}" for key, value in address.items()]
            return subprocess.run(["env", *settings, binaries.path(name), *rest], check=False).returncode
    except HubError as error:
        print(error.message, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
