"""Policies of venues that are measured or shaken: signed like any other, with wide quotas."""

import msgspec

from schemas.policy import Policy, Quota, QuotasPolicy

WIDE = Quota(
    commands_per_s=100_000,
    command_burst=1_000_000,
    bytes_per_s=1_000_000_000,
    open_orders=20_000,
    native_connections=10_000,
    http_connections=10_000,
    subscriptions=10_000,
    channels=10_000,
)


def widened(policy: Policy) -> Policy:
    """Return `policy` with quotas that no load reaches."""
    quotas = QuotasPolicy(
        trader=WIDE,
        maker=WIDE,
        newcomer_commands_per_s=WIDE.commands_per_s,
        newcomer_command_burst=WIDE.command_burst,
        newcomer_bytes_per_s=WIDE.bytes_per_s,
    )
    return msgspec.structs.replace(policy, name=f"{policy.name}-wide", quotas=quotas)
