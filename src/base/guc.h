/*
 * guc.h
 *	  Settings of the extension; guc.c says what each of them means.
 */
#ifndef TEMPORAL_BASE_GUC_H
#define TEMPORAL_BASE_GUC_H

#define MAX_FRONTENDS 16
#define MAX_EXECUTORS 64

#define GUC_SETTINGS_MARK "temporal.settings_mark"

extern bool guc_check_state;
extern double guc_clock_offset;
extern int guc_executors;
extern int guc_extra_executors;
extern int guc_frontends;
extern bool guc_grpc_api_keys;
extern int guc_grpc_keepalive_time;
extern int guc_grpc_keepalive_timeout;
extern char *guc_grpc_listen_addresses;
extern int guc_grpc_max_connections;
extern int guc_grpc_max_message_size;
extern int guc_grpc_max_streams;
extern bool guc_grpc_pipeline;
extern int guc_grpc_port;
extern char *guc_grpc_ssl_ca_file;
extern char *guc_grpc_ssl_cert_file;
extern char *guc_grpc_ssl_key_file;
extern int guc_heartbeat_limit;
extern int guc_history_count_limit;
extern int guc_history_size_limit;
extern int guc_keeper_batch_size;
extern int guc_lock_timeout;
extern int guc_notify_interval;
extern int guc_pass_timeout;
extern int guc_probe_interval;
extern int guc_shared_queues;
extern int guc_sweep_interval;

extern void guc_define(void);

/* How many executors a database may have in all. */
extern int guc_executor_limit(void);

#endif /* TEMPORAL_BASE_GUC_H */
