/*
 * sqlworker.c
 *	  Workflows of one activity each, driven through SQL alone.
 *
 * usage: sqlworker [-n WORKFLOWS] [-i IN_FLIGHT] [-b BATCH] [-q QUEUE] [-e]
 *
 * Three roles, each with a connection of its own that libpq's environment
 * describes: a client starts workflows, a workflow worker answers workflow
 * tasks, an activity worker does activities.  A role that has something to do
 * answers the tasks it holds and asks for new ones in one go, in pipelined
 * transactions of up to BATCH answers and as many polls.
 *
 * With -e the workflow worker asks for the activities that it schedules to be
 * started at once ("eager"), as the workers of Temporal's SDKs do, and passes
 * them to the activity worker; without, each goes through the task queue.
 *
 * Whoever made a task says so to the role that is to do it, in place of the
 * wake-up that a worker of its own process would wait for.
 *
 * Prints lines "name value".
 */
#include <err.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define MAX_IN_FLIGHT 1024
#define TOKEN_SIZE 512

enum
{
	CLIENT,
	WORKFLOW_WORKER,
	ACTIVITY_WORKER,
	ROLES
};

/* A task that a worker holds, and whether it ends its workflow. */
typedef struct Task
{
	char token[TOKEN_SIZE];
	bool last;
} Task;

typedef struct Role
{
	PGconn *conn;
	int wanted; /* tasks that wait for this role */
	int asked;  /* of those, how many are being asked for */
	Task held[MAX_IN_FLIGHT];
	int nheld;
	Task answered[MAX_IN_FLIGHT]; /* being sent */
	int nanswered;
	Task eager[MAX_IN_FLIGHT]; /* started by what is being sent */
	int neager;
	int syncs; /* transactions whose end we have not seen */
} Role;

static Role roles[ROLES];
static const char *queue = "bench";
static int batch = 16;
static bool eager;
static long statements;
static long transactions;
static long misses;
static int finished;

static const char *const prepared[][2] = {
	{"start", "SELECT temporal.start_workflow('OneActivity', $1, task_queue => $2)"},
	{"poll_workflow", "SELECT temporal.poll_workflow_task($1, 'bench')"},
	{"answer_workflow", "SELECT temporal.complete_workflow_task($1, $2, 'bench')"},
	{"poll_activity", "SELECT task_token FROM temporal.poll_activity_tasks($1, 'bench', $2)"},
	{"answer_activity", "SELECT temporal.complete_activity_task($1, $2, 'bench')"},
};

static const char schedule_activity[] =
	"[{\"commandType\": \"COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK\","
	" \"scheduleActivityTaskCommandAttributes\": {\"activityId\": \"1\","
	" \"activityType\": {\"name\": \"Greet\"}, \"taskQueue\": {\"name\": \"%s\"},"
	" \"input\": [\"world\"], \"startToCloseTimeout\": \"60s\","
	" \"requestEagerExecution\": %s}}]";
static const char complete_workflow[] =
	"[{\"commandType\": \"COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION\","
	" \"completeWorkflowExecutionCommandAttributes\": {\"result\": [\"hello world\"]}}]";
static char first_commands[1024];

static double
now(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return tv.tv_sec + tv.tv_usec / 1e6;
}

static void
connect_role(Role *role)
{
	role->conn = PQconnectdb("application_name=bench");
	if (PQstatus(role->conn) != CONNECTION_OK)
		errx(1, "%s", PQerrorMessage(role->conn));
	for (size_t i = 0; i < sizeof(prepared) / sizeof(prepared[0]); i++)
	{
		PGresult *result = PQprepare(role->conn, prepared[i][0], prepared[i][1], 0, NULL);

		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			errx(1, "%s", PQerrorMessage(role->conn));
		PQclear(result);
	}
	if (!PQenterPipelineMode(role->conn) || PQsetnonblocking(role->conn, 1) != 0)
		errx(1, "%s", PQerrorMessage(role->conn));
}

static void
send_statement(Role *role, const char *name, const char *first, const char *second)
{
	const char *values[] = {first, second};

	if (!PQsendQueryPrepared(role->conn, name, second ? 2 : 1, values, NULL, NULL, 0))
		errx(1, "%s", PQerrorMessage(role->conn));
	statements++;
}

static void
end_transaction(Role *role)
{
	if (!PQpipelineSync(role->conn))
		errx(1, "%s", PQerrorMessage(role->conn));
	role->syncs++;
	transactions++;
}

static void
send_answer(Role *role, const Task *task)
{
	if (role == &roles[WORKFLOW_WORKER])
		send_statement(role, "answer_workflow", task->token,
					   task->last ? complete_workflow : first_commands);
	else
		send_statement(role, "answer_activity", task->token, "\"hello world\"");
}

/* Asks for this many tasks, or starts as many workflows. */
static void
send_polls(Role *role, int n)
{
	char max_tasks[16];

	if (role == &roles[ACTIVITY_WORKER] && n > 0)
	{
		snprintf(max_tasks, sizeof(max_tasks), "%d", n);
		send_statement(role, "poll_activity", queue, max_tasks);
	}
	for (int i = 0; role == &roles[WORKFLOW_WORKER] && i < n; i++)
		send_statement(role, "poll_workflow", queue, NULL);
	for (int i = 0; role == &roles[CLIENT] && i < n; i++)
		send_statement(role, "start", "\"world\"", queue);
}

/* Sends everything that the role has to do. */
static void
send_work(Role *role)
{
	int answers = role->nheld;
	int polls = role->wanted;

	memcpy(role->answered, role->held, answers * sizeof(Task));
	role->nanswered = answers;
	role->nheld = 0;
	role->asked = polls;
	for (int a = 0, p = 0; a < answers || p < polls;)
	{
		int n = polls - p < batch ? polls - p : batch;

		for (int i = 0; i < batch && a < answers; i++)
			send_answer(role, &role->answered[a++]);
		send_polls(role, n);
		p += n;
		end_transaction(role);
	}
}

static void
hold(Task *task, const char *token, size_t length, bool last)
{
	if (length >= TOKEN_SIZE)
		errx(1, "a token has %zu bytes", length);
	memcpy(task->token, token, length);
	task->token[length] = '\0';
	task->last = last;
}

/* A task in JSON: its token, and whether the activity is done. */
static void
hold_task(Task *task, const char *json)
{
	static const char key[] = "\"taskToken\": \"";
	const char *token = strstr(json, key);

	if (token == NULL)
		errx(1, "no token in %s", json);
	token += sizeof(key) - 1;
	hold(task, token, strcspn(token, "\""),
		 strstr(json, "EVENT_TYPE_ACTIVITY_TASK_COMPLETED") != NULL);
}

/* Rows of a poll have one column with a token or a task; other results none. */
static void
take_result(Role *role, PGresult *result)
{
	if (role == &roles[CLIENT] || PQntuples(result) == 0)
		return;
	if (strcmp(PQfname(result, 0), "poll_workflow_task") == 0)
	{
		if (PQgetisnull(result, 0, 0))
			misses++;
		else
		{
			hold_task(&role->held[role->nheld++], PQgetvalue(result, 0, 0));
			role->wanted--;
		}
	}
	else if (strcmp(PQfname(result, 0), "complete_workflow_task") == 0)
	{
		if (strstr(PQgetvalue(result, 0, 0), "taskToken") != NULL)
			hold_task(&role->eager[role->neager++], PQgetvalue(result, 0, 0));
	}
	else if (strcmp(PQfname(result, 0), "task_token") == 0)
	{
		for (int i = 0; i < PQntuples(result); i++)
		{
			hold(&role->held[role->nheld++], PQgetvalue(result, i, 0),
				 PQgetlength(result, i, 0), false);
			role->wanted--;
		}
	}
}

/* All transactions have committed: others have work now. */
static void
pass_on(Role *role)
{
	for (int i = 0; i < role->nanswered; i++)
	{
		if (role == &roles[ACTIVITY_WORKER])
			roles[WORKFLOW_WORKER].wanted++;
		else if (role->answered[i].last)
			finished++;
		else if (!eager)
			roles[ACTIVITY_WORKER].wanted++;
	}
	role->nanswered = 0;
	for (int i = 0; i < role->neager; i++)
		roles[ACTIVITY_WORKER].held[roles[ACTIVITY_WORKER].nheld++] = role->eager[i];
	role->neager = 0;
	if (role == &roles[CLIENT])
	{
		roles[WORKFLOW_WORKER].wanted += role->asked;
		role->wanted -= role->asked;
	}
}

static void
receive(Role *role)
{
	if (!PQconsumeInput(role->conn))
		errx(1, "%s", PQerrorMessage(role->conn));
	while (role->syncs > 0 && !PQisBusy(role->conn))
	{
		PGresult *result = PQgetResult(role->conn);

		switch (result ? PQresultStatus(result) : PGRES_COMMAND_OK)
		{
			case PGRES_TUPLES_OK:
				take_result(role, result);
				break;
			case PGRES_PIPELINE_SYNC:
				role->syncs--;
				break;
			case PGRES_COMMAND_OK: /* the end of a statement */
				break;
			default:
				errx(1, "%s", PQresultErrorMessage(result));
		}
		PQclear(result);
	}
	if (role->syncs == 0)
		pass_on(role);
}

/* Sends what can be sent and waits until an answer comes. */
static void
turn(void)
{
	struct pollfd fds[ROLES];

	for (int i = 0; i < ROLES; i++)
	{
		Role *role = &roles[i];

		if (role->syncs == 0 && (role->nheld > 0 || role->wanted > 0))
			send_work(role);
		fds[i].fd = PQsocket(role->conn);
		fds[i].events = POLLIN | (PQflush(role->conn) == 1 ? POLLOUT : 0);
	}
	if (poll(fds, ROLES, -1) < 0)
		err(1, "poll");
	for (int i = 0; i < ROLES; i++)
	{
		if (roles[i].syncs > 0 && (fds[i].revents & ~POLLOUT) != 0)
			receive(&roles[i]);
	}
}

int
main(int argc, char **argv)
{
	int workflows = 1000;
	int in_flight = 16;
	int started = 0;
	double begin;
	int option;

	while ((option = getopt(argc, argv, "n:i:b:q:e")) != -1)
	{
		switch (option)
		{
			case 'n':
				workflows = atoi(optarg);
				break;
			case 'i':
				in_flight = atoi(optarg);
				break;
			case 'b':
				batch = atoi(optarg);
				break;
			case 'q':
				queue = optarg;
				break;
			case 'e':
				eager = true;
				break;
			default:
				errx(2, "usage: sqlworker [-n WORKFLOWS] [-i IN_FLIGHT] [-b BATCH] [-q QUEUE] [-e]");
		}
	}
	if (workflows < 1 || in_flight < 1 || in_flight > MAX_IN_FLIGHT || batch < 1)
		errx(2, "numbers must be positive, and no more than %d in flight", MAX_IN_FLIGHT);
	snprintf(first_commands, sizeof(first_commands), schedule_activity, queue,
			 eager ? "true" : "false");
	for (int i = 0; i < ROLES; i++)
		connect_role(&roles[i]);

	begin = now();
	while (finished < workflows)
	{
		int room = in_flight - (started - finished);
		int more = workflows - started < room ? workflows - started : room;

		roles[CLIENT].wanted += more;
		started += more;
		turn();
	}
	printf("seconds %.6f\n", now() - begin);
	printf("statements %ld\n", statements);
	printf("transactions %ld\n", transactions);
	printf("misses %ld\n", misses);
	for (int i = 0; i < ROLES; i++)
		PQfinish(roles[i].conn);
	return 0;
}
