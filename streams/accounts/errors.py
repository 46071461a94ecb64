"""What an account is told that may not, or not so much."""

from schemas.errors import InputError, OverQuota


class Unauthorized(InputError):
    """No session token, or none that this venue gave out."""

    code = "unauthorized"


class SessionExpired(Unauthorized):
    code = "session_expired"


class BadChallenge(Unauthorized):
    """A nonce that this venue did not give out for that account, or that has expired."""

    code = "bad_challenge"


class ChallengeUsed(Unauthorized):
    code = "challenge_used"


class NonceUsed(Unauthorized):
    """A signed request that was taken before."""

    code = "nonce_used"


class WrongTime(Unauthorized):
    """A signed request whose time is too far from the gateway's."""

    code = "wrong_time"


class TooManyCommands(OverQuota):
    code = "command_quota"


class TooManyBytes(OverQuota):
    code = "byte_quota"


class TooManyOpenOrders(OverQuota):
    """An account has as many open orders as it may: cancel some."""

    code = "open_order_quota"


class TooManyRequests(OverQuota):
    """An account has as many requests and feeds open as it may."""

    code = "connection_quota"


class TooManySignIns(OverQuota):
    code = "sign_in_quota"


class TooManyAccounts(OverQuota):
    code = "account_quota"
