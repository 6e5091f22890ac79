/*
 * launcher.h
 *	  The process that starts all others.
 */
#ifndef TEMPORAL_WORKER_LAUNCHER_H
#define TEMPORAL_WORKER_LAUNCHER_H

extern void launcher_register(void);

#endif /* TEMPORAL_WORKER_LAUNCHER_H */
