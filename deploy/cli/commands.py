"""Every command of `everything`: its name, its function, and its line in the help.

The line is the first one of the function's docstring, which a test compares.
"""

from typing import Final

from deploy.cli.lazy_group import Command, CommandGroup, Table

ACCOUNT: Final = CommandGroup(
    "Open accounts and look at them.",
    {
        "new": Command(
            "accounts:new",
            "Make a key on this machine and open an account that it controls.",
        ),
        "show": Command("accounts:show", "Show an account's money."),
        "token": Command(
            "accounts:token",
            "Open a session and print its token, for programs that call the API.",
        ),
    },
)

ADMIN: Final = CommandGroup(
    "Sign decisions: markets, credits, keys, policy.",
    {
        "list-market": Command(
            "admin:list_market", "Open a market. Nothing can be traded until a person signs this."
        ),
        "edit-market": Command("admin:edit_market", "Change a market's words or weights."),
        "halt": Command(
            "admin:halt", "Stop trading in a market; resting orders stay and can be cancelled."
        ),
        "resume": Command("admin:resume", "Let trading in a halted market go on."),
        "close": Command("admin:close", "End trading for good; positions wait for the resolution."),
        "resolve": Command("admin:resolve", "Pay every position out and end the market."),
        "mint": Command("admin:mint", "Create paper credits in an account."),
        "new-key": Command(
            "admin:new_key",
            "Make a key on this machine. It may sign nothing until it is enrolled.",
        ),
        "enrol-key": Command("admin:enrol_key", "Make a person's key known and give it a role."),
        "grant-role": Command("admin:grant_role", "Change what a key may sign."),
        "rotate-key": Command(
            "admin:rotate_key", "Replace your own key; the old one is accepted for a day more."
        ),
        "revoke-key": Command("admin:revoke_key", "Take a key out of use at once."),
        "set-policy": Command(
            "admin:set_policy",
            "Run the venue by another policy from here on; the past is not touched.",
        ),
        "co-sign": Command(
            "admin:co_sign",
            "Add your signature to a decision that waits for more than one person.",
        ),
        "ops-override": Command(
            "admin:ops_override",
            "Record that an operator acted outside the rules; a post-mortem is due.",
        ),
        "keys": Command("admin:list_keys", "Show who may sign what."),
        "audit": Command("admin:audit", "Show the latest decisions and refusals."),
        "add-source": Command(
            "sources:add_source",
            "Let articles come from a source. Nothing is fetched until a person signs this.",
        ),
        "change-source": Command(
            "sources:change_source",
            "Change what is given; the rest of the source is signed again as it stands.",
        ),
        "quarantine-source": Command(
            "sources:quarantine_source",
            "Let nothing that a source says count for a while. What counted already stays.",
        ),
        "release-source": Command(
            "sources:release_source", "Let a quarantined source count again."
        ),
        "retry-job": Command(
            "jobs:retry_jobs",
            "Have jobs tried again that were given up. Takes an editor or above.",
        ),
        "reviews": Command(
            "reviews:list_reviews",
            "Show moves that wait for a person, each with its evidence, the last opened first.",
        ),
        "approve": Command(
            "reviews:approve",
            "Let exactly this move be applied, or a part. Who has an interest in the symbol is "
            "barred.",
        ),
        "reject": Command(
            "reviews:reject",
            "Let this move not be applied, and its source have no more say in this story.",
        ),
    },
)

SERVICE_KEY: Final = CommandGroup(
    "Secrets for programs that ask for pages.",
    {
        "new": Command(
            "service_keys:new", "Make a secret and show it, this once. It is accepted from now on."
        ),
        "rotate": Command(
            "service_keys:rotate",
            "Make a new secret and show it; the one before it is accepted for a day more.",
        ),
        "list": Command(
            "service_keys:list_keys",
            "Show which programs have a key, and until when their former secrets are accepted.",
        ),
    },
)

RUNNER_KEY: Final = CommandGroup(
    "Secrets for runners that render pages elsewhere.",
    {
        "new": Command(
            "service_keys:new_runner",
            "Make a runner's secret and show it, this once. It is accepted from now on.",
        ),
        "rotate": Command(
            "service_keys:rotate_runner",
            "Make a runner's new secret and show it; the one before it is accepted for a day more.",
        ),
        "list": Command(
            "service_keys:list_runners",
            "Show which runners have a key, and until when their former secrets are accepted.",
        ),
    },
)

EVERYTHING: Final[Table] = {
    "up": Command("up:up", "Start the whole system here and keep it up until Ctrl-C."),
    "init": Command(
        "venue:init", "Found the venue: sign its first message with a new root key. Once only."
    ),
    "venue": Command("venue:venue", "Show the venue, its policy and its keys."),
    "status": Command(
        "venue:status",
        "Show how every process is, the log and its last seal, and whether the LLM is asked.",
    ),
    "admin": ADMIN,
    "account": ACCOUNT,
    "order": Command("trading:order", "Place an order and wait for what becomes of it."),
    "cancel": Command(
        "trading:cancel", "Take resting orders out of their books; doing it twice does no harm."
    ),
    "orders": Command("trading:orders", "List an account's orders, the newest first."),
    "positions": Command(
        "trading:positions", "List what an account holds: long above zero, short below."
    ),
    "markets": Command("markets:markets", "List the markets that people have signed."),
    "book": Command("markets:book", "Show a market's prices and the best levels of its book."),
    "trades": Command("markets:trades", "List a market's trades, the newest first."),
    "watch": Command(
        "markets:watch",
        "Follow a market live: trades, best prices, MarketPrice, FinalPrice and RealityScore.",
    ),
    "sources": Command(
        "sources:list_sources",
        "List the sources that people have signed for, and how fetching them goes.",
    ),
    "source-ledger": Command(
        "sources:source_ledger",
        "Show what a source moved, day by day, and what scores would be without that.",
    ),
    "jobs": Command(
        "jobs:list_jobs",
        "List the fetches that were given up, why, and what became of each since.",
    ),
    "push": Command("sources:push", "Sign an article with a source's push key and send it."),
    "events": Command(
        "reading:events", "List what clusters of articles mean for a market, the newest first."
    ),
    "articles": Command(
        "reading:articles", "List articles and what became of each, the newest first."
    ),
    "llm": Command("reading:llm", "Show whether the LLM is asked, and what it said."),
    "state": Command(
        "reading:state",
        "Show what each engine's state hashes to, now or at any moment of the log.",
    ),
    "verify": Command(
        "proof:verify",
        "Decide every record again from its inputs and compare: bytes, chain, seals, signatures.",
    ),
    "rebuild": Command(
        "proof:rebuild",
        "Build the read model again from the log beside the live one and compare every table.",
    ),
    "upgrade": Command(
        "upgrade:upgrade",
        "Show which tables another release made, compare them with new ones, and switch if asked.",
    ),
    "why": Command(
        "why:why", "Say why a price is what it is, from the log alone, and add it up again."
    ),
    "whatif": Command(
        "whatif:whatif",
        "Say what scores, prices and reviews would be under another policy, or without a source.",
    ),
    "archive": Command(
        "archive:archive",
        "Copy the log up to its last seal into the archive, and check all of that.",
    ),
    "restore": Command(
        "archive:restore",
        "Bring an archive back onto an empty log, message by message, and check it before.",
    ),
    "export": Command(
        "archive:export",
        "Write messages of the log, and the seals that prove them, to one file.",
    ),
    "quality": Command(
        "quality:quality",
        "Correlate sentiment, keywords and quick_score with a file of people's ratings.",
    ),
    "service-key": SERVICE_KEY,
    "runner-key": RUNNER_KEY,
    "runner": Command(
        "runner:runner", "Render pages for a venue, whose keys are elsewhere, until Ctrl-C."
    ),
    "nats-conf": Command(
        "venue:nats_conf",
        "Print the nats.conf for a server of your own: this venue's users and permissions.",
    ),
}
