/*
 * call.h
 *	  What the SQL functions share.
 */
#ifndef TEMPORAL_API_CALL_H
#define TEMPORAL_API_CALL_H

#include "service/service.h"

extern void api_warn_refused(const ServiceCall *call);

#endif							/* TEMPORAL_API_CALL_H */
