"""How chromium is started, and the sizes of its windows."""

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
