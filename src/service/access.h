/*
 * access.h
 *	  Granting rights, and what the whole database may do.
 */
#ifndef TEMPORAL_SERVICE_ACCESS_H
#define TEMPORAL_SERVICE_ACCESS_H

#include "nodes/pg_list.h"

/* "namespace_name" may be "*"; "task_queue" "" for all queues. */
extern void service_grant(const char *role_name, const char *namespace_name, const char *right,
						  const char *task_queue);
extern void service_revoke(const char *role_name, const char *namespace_name, const char *right,
						   const char *task_queue);

/* Of pg_uuid_t: the namespaces in which the current role may look. */
extern List *service_readable_namespaces(void);

extern void service_adopt(void);
extern bool service_adopted(void);

/* An error unless the current role administers all namespaces. */
extern void service_require_superadmin(void);

#endif							/* TEMPORAL_SERVICE_ACCESS_H */
