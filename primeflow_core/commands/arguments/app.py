"""Arguments of the command that starts the browser app."""

from primeflow_core.commands.terminal import Subcommands, add_command


def add_commands(commands: Subcommands) -> None:
    parser = add_command(commands, "app", "Start the browser app.", "primeflow app --port 8501")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (default: %(default)s)")
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.set_defaults(run="primeflow_core.commands.app:app_command")
