/*
 * source.h
 *	  What does not belong into a workflow function.
 */
#ifndef EXEC_SOURCE_H
#define EXEC_SOURCE_H

#include "exec/function.h"

extern void source_check(const Registration *registration);

#endif							/* EXEC_SOURCE_H */
