"""Django's PostgreSQL backend that starts the embedded server at the first connection, not at import.

So `manage.py help`, type checks and `makemigrations` cost no server, and nothing has to be started by hand.
"""

from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base
from psycopg.conninfo import conninfo_to_dict

from trainu import embedded


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        if not self.settings_dict["HOST"]:
            server = conninfo_to_dict(embedded.start(Path(self.settings_dict["DATA_DIR"]), name="trainu"))
            self.settings_dict["HOST"] = server["host"]
            self.settings_dict["USER"] = server["user"]
        return super().get_connection_params()
