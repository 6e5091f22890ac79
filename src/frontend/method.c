/*
 * method.c
 *	  From the path of a call to what answers it.
 *
 * Whether a method belongs to the workflow or to the operator service is told
 * by the package of its request.
 */
#include "postgres.h"

#include "frontend/frontend.h"
#include "proto/health.pb-c.h"
#include "proto/wire.h"

#define HEALTH_SERVICE "grpc.health.v1.Health"

/* A service that clients know, and the package of its messages. */
static const struct
{
	const char *name;
	const char *package;
} services[] = {
	{"temporal.api.workflowservice.v1.WorkflowService", "temporal.api.workflowservice.v1"},
	{"temporal.api.operatorservice.v1.OperatorService", "temporal.api.operatorservice.v1"},
	{HEALTH_SERVICE, NULL},
};

static void
refuse(Call *call, GrpcCode code, const char *message)
{
	call->status.code = code;
	call->status.message = message;
}

/* The number of a service; -1 if there is none of this name. */
static int
find_service(const char *name)
{
	for (int i = 0; i < lengthof(services); i++)
	{
		if (strcmp(services[i].name, name) == 0)
			return i;
	}
	return -1;
}

static const ServiceMethod *
find_method(int service, const char *name)
{
	const ServiceMethod *method = services[service].package ? service_find_method(name) : NULL;

	if (method && strcmp(method->request->package_name, services[service].package) == 0)
		return method;
	return NULL;
}

/*
 * method_find -- sets the method of a call; false with a status if there is
 * none.  Allocates in the current context.
 */
bool
method_find(Call *call)
{
	const char *path = call->path ? call->path : "";
	const char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;
	const char *name;
	int service;

	if (slash == NULL || slash == path)
	{
		refuse(call, GRPC_UNIMPLEMENTED, psprintf("malformed method name: \"%s\"", path));
		return false;
	}
	name = pnstrdup(path + 1, slash - path - 1);
	service = find_service(name);
	if (service < 0)
	{
		refuse(call, GRPC_UNIMPLEMENTED, psprintf("unknown service %s", name));
		return false;
	}
	call->method.service_name = services[service].name;
	call->method.service = find_method(service, slash + 1);
	if (call->method.service ||
		(services[service].package == NULL && strcmp(slash + 1, "Check") == 0))
		return true;
	refuse(call, GRPC_UNIMPLEMENTED, psprintf("unknown method %s for service %s", slash + 1, name));
	return false;
}

/* method_check -- does the call deserve to be executed?  Else a status. */
bool
method_check(Call *call)
{
	if (call->no_memory)
		refuse(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	else if (call->bad_timeout)
		refuse(call, GRPC_INTERNAL, "malformed grpc-timeout");
	else if (call->encoding && strcmp(call->encoding, "gzip") != 0 &&
			 strcmp(call->encoding, "identity") != 0)
		refuse(call, GRPC_UNIMPLEMENTED,
			   psprintf("grpc: Decompressor is not installed for grpc-encoding \"%s\"",
						call->encoding));
	else
		return method_find(call);
	return false;
}

/*
 * method_answer_health -- this process answers, so it is well.
 *
 * Runs outside of any transaction.
 */
void
method_answer_health(Call *call)
{
	Pb__HealthCheckResponse response = PB__HEALTH_CHECK_RESPONSE__INIT;
	Pb__HealthCheckRequest *request;
	const uint8 *data;
	size_t len;
	GrpcCode code;
	const char *problem = grpc_read_message(call, &data, &len, &code);

	if (problem)
	{
		refuse(call, code, problem);
		return;
	}
	problem = wire_check(&pb__health_check_request__descriptor, data, len);
	if (problem)
	{
		refuse(call, GRPC_INVALID_ARGUMENT, psprintf("invalid HealthCheckRequest: %s", problem));
		return;
	}
	request = proto_unpack(&pb__health_check_request__descriptor, data, len);
	if (request->service[0] != '\0' && find_service(request->service) < 0)
	{
		refuse(call, GRPC_NOT_FOUND, "unknown service");
		return;
	}
	response.status = PB__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	grpc_frame_answer(call, &response.base);
}
