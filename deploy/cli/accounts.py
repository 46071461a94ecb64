"""`everything account …`: accounts and the money in them."""

from deploy.cli.client import Client
from deploy.cli.output import document, say
from deploy.cli.parameters import Account, At, Json


def new(name: str, as_json: Json = False) -> None:
    """Make a key on this machine and open an account that it controls."""
    client = Client()
    answer = client.open_account(name)
    if as_json:
        document(answer)
    else:
        say(f"account {name} is open; its key is in {client.home.keys / 'accounts'}")


def show(name: Account, at: At = None, as_json: Json = False) -> None:
    """Show an account's money."""
    answer = Client().get("/account", account=name, at=at)
    if as_json:
        document(answer)
    else:
        say(f"{name}: cash {answer['cash']}, reserved for orders {answer['reserved']}")


def token(name: Account, as_json: Json = False) -> None:
    """Open a session and print its token, for programs that call the API."""
    token = Client().session(name)
    if as_json:
        document({"account": name, "token": token})
    else:
        print(token)
