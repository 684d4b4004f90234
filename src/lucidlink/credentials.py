"""What a program logs in with."""

from __future__ import annotations

from lucidfs.crypto.token import Token


class ServiceAccountCredentials:
    """Token of a service account. Pickles (the token goes along); never shows the secret.

    Args:
        token: `sa_live:<key id>:<secret>`, as `lucid account create` printed it.

    Raises:
        ValueError: empty or malformed; the message does not repeat the token.
    """

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        if not isinstance(token, str):
            raise TypeError(f"token: expected str, got {type(token).__name__}")
        if not token.strip():
            raise ValueError("token: empty; expected sa_live:<key id>:<secret>")
        self._token = Token.parse(token.strip())

    @property
    def token(self) -> str:
        """The whole token, secret included."""
        return self._token.text()

    @property
    def key_id(self) -> str:
        """The part that may be shown."""
        return self._token.key_id

    def parsed(self) -> Token:
        """The token as the engine takes it."""
        return self._token

    def __repr__(self) -> str:
        return f"ServiceAccountCredentials(key_id={self.key_id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServiceAccountCredentials) and self._token == other._token

    def __hash__(self) -> int:
        return hash(self.key_id)

    def __reduce__(self) -> tuple[type[ServiceAccountCredentials], tuple[str]]:
        return ServiceAccountCredentials, (self.token,)


__all__ = ["ServiceAccountCredentials"]
