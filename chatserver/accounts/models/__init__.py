from chatserver.accounts.models.codes import Invitation, SetupCode
from chatserver.accounts.models.token import SCOPES, ApiToken, Scope
from chatserver.accounts.models.user import User

__all__ = ["SCOPES", "ApiToken", "Invitation", "Scope", "SetupCode", "User"]
