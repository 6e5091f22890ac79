/*
 * caller.c
 *	  Who calls.
 *
 * A caller acts as the role of the key that comes with the call, else as that
 * of the certificate, else, where nobody has to say who he is, as the frontend.
 * A call that waits may be handed something long after it was looked at: keys
 * are looked up again then.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "base/errors.h"
#include "frontend/frontend.h"

#define BEARER "Bearer "

/* InvalidOid: nobody we know. */
static Oid
find_caller(Call *call)
{
	const char *name;

	if (call->authorization == NULL)
	{
		name = tls_user(call->connection);
		return name ? get_role_oid(name, true) : InvalidOid;
	}
	if (pg_strncasecmp(call->authorization, BEARER, strlen(BEARER)) != 0)
		return InvalidOid;
	return service_role_of_key(&call->service, call->authorization + strlen(BEARER));
}

/* caller_become -- acts as the role of who says, or must say, who it is. */
void
caller_become(Call *call)
{
	Oid role;
	Oid user;
	int context;

	if (!call->connection->must_identify && call->authorization == NULL)
		return;
	role = find_caller(call);
	if (!OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_PERMISSION_DENIED), errmsg("Request unauthorized."),
				 errdetail("Neither a key nor the common name of a certificate tells a role.")));
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(role, context | SECURITY_LOCAL_USERID_CHANGE);
	call->service.caller = role;
}

/* caller_is_known -- is a call that has waited still of the role that it acts as? */
bool
caller_is_known(Call *call)
{
	return call->authorization == NULL || find_caller(call) == call->service.caller;
}
