/*
 * frontend.h
 *	  The process that serves gRPC: what its files share.
 *
 * A connection has calls, one for each HTTP/2 stream.  A call is being read,
 * then ready, then answered; a poll that finds nothing is parked in between.
 * nghttp2's callbacks only record: they must neither raise nor run SQL, so
 * whatever they allocate may come out as NULL.
 */
#ifndef TEMPORAL_FRONTEND_FRONTEND_H
#define TEMPORAL_FRONTEND_FRONTEND_H

#include <nghttp2/nghttp2.h>

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "lib/ilist.h"
#include "lib/pairingheap.h"

#include "service/service.h"

/* Status of a call, as gRPC numbers it. */
typedef enum GrpcCode
{
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
} GrpcCode;

typedef struct Status
{
	GrpcCode code;
	const char *message; /* NULL: none */
	const ProtobufCMessage *detail;
} Status;

typedef enum CallPhase
{
	CALL_READING,
	CALL_READY,    /* in the list of calls to execute */
	CALL_RUNNING,  /* in the batch */
	CALL_PARKED,   /* waits for its channel or for a time */
	CALL_WAITING,  /* its answer waits for the disk */
	CALL_ANSWERED, /* nghttp2 has the answer */
} CallPhase;

/* What one execution of a call has come to. */
typedef enum CallOutcome
{
	OUTCOME_ANSWER, /* of whatever status */
	OUTCOME_WAIT,   /* nothing there yet */
	OUTCOME_RETRY,  /* somebody holds a lock */
} CallOutcome;

/* A growing array of bytes that reports that memory is out. */
typedef struct Bytes
{
	uint8 *data;
	size_t len;
	size_t size;
} Bytes;

/* What epoll tells about: a connection or a listening socket. */
typedef struct Source Source;
struct Source
{
	int fd;
	void (*serve)(Source *source, uint32 events);
};

typedef struct Connection
{
	Source source; /* first, so that one is the other */
	dlist_node of_all;
	dlist_node of_touched;
	bool touched; /* look after it at the end of the turn */
	bool broken;  /* and close it */
	bool wants_write;
	bool must_identify; /* no call without a key or a certificate */
	struct ssl_st *ssl; /* NULL: in the clear */
	nghttp2_session *session;
	MemoryContext memory; /* all of it but "session" */
	dlist_head calls;
	Bytes out; /* taken from nghttp2 and not sent yet */
	size_t out_sent;
	size_t unsent;           /* bytes of answers that nghttp2 has */
	bool greeted;            /* the client has sent its settings */
	bool pinged;             /* and we wait to hear of it */
	TimestampTz heard_at;    /* times of day */
	TimestampTz stuck_since; /* it does not read; 0: it does */
} Connection;

/* What calls look at while they wait. */
typedef struct Channel Channel;

/* A method as gRPC names it. */
typedef struct Method
{
	const char *service_name;
	const ServiceMethod *service; /* NULL: of the server itself */
} Method;

typedef struct Call
{
	dlist_node of_connection;
	dlist_node of_phase; /* ready: the queue; parked: those of its channel */
	pairingheap_node of_time;
	Connection *connection;
	int32 stream_id;
	CallPhase phase;

	/* What the headers say. */
	char *path;
	char *encoding;
	char *authorization;
	bool is_grpc;
	bool is_post;
	bool is_display; /* a client that shows histories to people */
	bool bad_timeout;
	bool no_memory;       /* to read it */
	TimestampTz deadline; /* time of day; DT_NOEND: none */

	Bytes body;
	size_t discarded; /* bytes of what is too large */

	/* Its execution. */
	Method method;
	MemoryContext memory; /* of the execution and its answer; NULL before */
	ServiceCall service;
	void *request;
	CallOutcome outcome;
	int attempts;             /* that met a lock */
	TimestampTz locked_since; /* first of them; 0: none */

	/* Its wait. */
	Channel *channel; /* also while it looks */
	bool timed;       /* in the heap */
	bool chained;     /* when it finds something, the next one looks too */
	TimestampTz wake_at;
	TimestampTz give_up; /* answer with what there is; 0: has not waited */

	Status status;
	XLogRecPtr lsn; /* that must be on disk before the answer leaves */
	uint8 *answer;  /* framed */
	size_t answer_len;
	size_t answer_sent;
} Call;

/* frontend.c */
extern MemoryContext frontend_memory;
extern void frontend_watch_source(Source *source, bool writing, bool is_new);
extern void frontend_ignore_source(Source *source);

/* listener.c */
extern bool listener_keep_open(void);
extern TimestampTz listener_next_time(void);

/* connection.c */
extern void connection_open(int fd);
extern void connection_touch(Connection *connection);
extern void connection_look_after_touched(void);
extern bool connection_is_clogged(const Connection *connection);
extern TimestampTz connection_check_all(void);
extern void connection_say_goodbye(void);
extern int connection_count(void);

/* bytes.c */
extern bool bytes_append(MemoryContext memory, Bytes *bytes, const void *data, size_t len);
extern void bytes_free(Bytes *bytes);

/* tls.c */
#define EWANTWRITE EINPROGRESS /* until the socket can be written */
extern const char *tls_load(void);
extern bool tls_knows_clients(void);
extern bool tls_protects(void);
extern bool tls_open(Connection *connection);
extern void tls_close(Connection *connection);
extern ssize_t tls_recv(Connection *connection, void *data, size_t size);
extern ssize_t tls_send(Connection *connection, const void *data, size_t size);
extern bool tls_pending(const Connection *connection);
extern char *tls_user(const Connection *connection);

/* http2.c */
extern bool http2_start(Connection *connection);
extern void http2_answer(Call *call);
extern void http2_reset(Call *call);

/* call.c */
extern Call *call_new(Connection *connection, int32 stream_id);
extern void call_drop(Call *call);
extern void call_header(Call *call, const char *name, const char *value);
extern void call_body(Call *call, const uint8 *data, size_t len);
extern void call_ready(Call *call);
extern Call *call_take_ready(void);
extern bool call_any_ready(void);
extern void call_forget_body(Call *call);

/* grpc.c */
extern bool grpc_parse_timeout(const char *text, int64 *microseconds);
extern char *grpc_encode_message(const char *message);
extern char *grpc_encode_details(const Status *status);
extern const char *grpc_read_message(Call *call, const uint8 **data, size_t *len, GrpcCode *code);
extern void grpc_frame_answer(Call *call, const ProtobufCMessage *message);

/* status.c */
extern Status status_of_error(const ErrorData *error, const Call *call);
extern Status status_of_refusal(const Call *call);
extern bool status_is_lock(const ErrorData *error);

/* method.c */
extern bool method_find(Call *call);
extern bool method_check(Call *call);
extern void method_answer_health(Call *call);

/* longpoll.c */
extern void longpoll_watch(ServiceCall *service);
extern void longpoll_park(Call *call, TimestampTz wake_at);
extern void longpoll_hold_back(const Call *call, TimestampTz resume_at);
extern void longpoll_unpark(Call *call);
extern void longpoll_leave(Call *call);
extern void longpoll_pass_on(const Call *call);
extern void longpoll_wake(void);
extern Call *longpoll_first(WakeKind kind, uint64 channel);
extern Call *longpoll_next(const Call *call);
extern bool longpoll_is_deaf(const Call *call);
extern TimestampTz longpoll_next_time(void);
extern void longpoll_end_all(void);
extern int longpoll_count(void);

/* handed.c */
extern const ServiceWaiters handed_waiters;
extern void handed_keep(void);
extern void handed_take_back(void);
extern Call *handed_next(void);

/* caller.c */
extern void caller_become(Call *call);
extern bool caller_is_known(Call *call);

/* batch.c */
extern void batch_run(void);

/* durable.c */
extern bool durable_may_wait(int calls);
extern void durable_answer(Call *call);
extern void durable_request(void);
extern bool durable_release(void);

/* stat.c */
extern void stat_call(const Call *call, int64 microseconds);
extern void stat_batch(int calls, int64 execute_us, int64 commit_us);
extern void stat_now(void);

#endif /* TEMPORAL_FRONTEND_FRONTEND_H */
