# S-87: many sessions start one workflow id at the same moment.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 50;
my $gate = 87;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_connections = 80
});
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION temporal;
	CREATE TABLE answer (method text, workflow_id text, run_id uuid, started boolean, error text);

	-- Waits for the gate to open, calls, and notes what came of it.
	CREATE FUNCTION call(method text, id text, options jsonb) RETURNS void LANGUAGE plpgsql AS \$\$
	DECLARE
		result jsonb;
	BEGIN
		PERFORM pg_advisory_xact_lock_shared($gate);
		result := temporal.rpc(method, jsonb_build_object('namespace', 'default', 'workflow_id', id,
			'workflow_type', '{"name": "wf"}'::jsonb, 'task_queue', '{"name": "q"}'::jsonb) || options);
		INSERT INTO answer VALUES (method, id, (result->>'runId')::uuid,
			coalesce((result->>'started')::boolean, false), NULL);
	EXCEPTION WHEN OTHERS THEN
		INSERT INTO answer VALUES (method, id, NULL, NULL, sqlstate);
	END
	\$\$;
});

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# All sessions make the same call, from the same moment on.
sub call_at_once
{
	my ($method, $id, $options) = @_;
	my $script = $node->basedir . "/$id.sql";
	my $holder = $node->background_psql('postgres');
	my ($out, $err) = ('', '');

	PostgreSQL::Test::Utils::append_to_file($script, "SELECT call('$method', '$id', $options);\n");
	$holder->query_safe("SELECT pg_advisory_lock($gate)");
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	my $bench = IPC::Run::start(
		[ 'pgbench', '-n', '-c', $sessions, '-j', 2, '-t', 1, '-f', $script, 'postgres' ],
		'>', \$out, '2>', \$err, IPC::Run::timeout(10 * $PostgreSQL::Test::Utils::timeout_default));
	$node->poll_query_until('postgres',
		"SELECT count(*) = $sessions FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
	  or die "$id: sessions do not arrive at the gate";
	$holder->quit;
	ok($bench->finish, "S-87 $id: every session has finished") or diag($err);
}

sub answers
{
	return sql("SELECT count(*), count(DISTINCT run_id), count(*) FILTER (WHERE started),
			string_agg(DISTINCT error, ' ')
		FROM answer WHERE workflow_id = '$_[0]'");
}

# Runs, open runs, and whether the open one is the current one.
sub runs
{
	return sql("SELECT count(*), count(*) FILTER (WHERE e.status = 1),
			bool_or(c.run_id = e.run_id) FILTER (WHERE e.status = 1)
		FROM temporal.execution e JOIN temporal.current_execution c USING (shard, namespace_id, workflow_id)
		WHERE e.workflow_id = '$_[0]'");
}

# The events of the current run, without ids.
sub events
{
	return sql("SELECT replace(e->>'eventType', 'EVENT_TYPE_WORKFLOW_', '') || ' ' || count(*)
		FROM temporal.rpc('GetWorkflowExecutionHistory', jsonb_build_object('namespace', 'default',
			'execution', jsonb_build_object('workflow_id', '$_[0]'))) AS answer,
			jsonb_array_elements(answer->'history'->'events') AS e
		GROUP BY e->>'eventType' ORDER BY min((e->>'eventId')::int)");
}

my $alone = "EXECUTION_STARTED 1\nTASK_SCHEDULED 1";

call_at_once('StartWorkflowExecution', 'fail',
	q{jsonb_build_object('workflow_id_conflict_policy', 'WORKFLOW_ID_CONFLICT_POLICY_FAIL',
		'request_id', gen_random_uuid())});
is(answers('fail'), '50|1|1|TW600', 'S-87 different request ids, FAIL: exactly one succeeds');
is(runs('fail'), '1|1|t', 'S-87 different request ids, FAIL: one run');
is(events('fail'), $alone, 'S-87 different request ids, FAIL: started once');

call_at_once('StartWorkflowExecution', 'same',
	q{jsonb_build_object('workflow_id_conflict_policy', 'WORKFLOW_ID_CONFLICT_POLICY_FAIL',
		'request_id', 'r')});
is(answers('same'), '50|1|50|', 'S-87 one request id: all succeed with one run id');
is(runs('same'), '1|1|t', 'S-87 one request id: one run');
is(events('same'), $alone, 'S-87 one request id: started once');

call_at_once('StartWorkflowExecution', 'use',
	q{'{"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING"}'});
is(answers('use'), '50|1|1|', 'USE_EXISTING: all get one run, one has started it');
is(runs('use'), '1|1|t', 'USE_EXISTING: one run');

# S-84 with others: never two open, never none; several times, because locks
# taken in the wrong order show only now and then.
for my $round (1 .. 5)
{
	my $id = "terminate$round";

	call_at_once('StartWorkflowExecution', $id,
		q{'{"workflow_id_conflict_policy": "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"}'});
	is(answers($id), '50|50|50|', 'S-84 TERMINATE_EXISTING: each gets a run of its own');
	is(runs($id), '50|1|t', 'S-84 TERMINATE_EXISTING: one is left open, and it is the current one');
	is( sql("SELECT count(*) FROM temporal.execution WHERE workflow_id = '$id' AND status = 5"),
		'49', 'S-84 TERMINATE_EXISTING: the others are terminated');
	is(events($id), $alone, 'S-84 TERMINATE_EXISTING: the last one goes on');
}

call_at_once('SignalWithStartWorkflowExecution', 'signal', q{'{"signal_name": "s"}'});
is(answers('signal'), '50|1|1|', 'signal-with-start: all get one run, one has started it');
is(runs('signal'), '1|1|t', 'signal-with-start: one run');
is( events('signal'),
	"EXECUTION_STARTED 1\nEXECUTION_SIGNALED 50\nTASK_SCHEDULED 1",
	'signal-with-start: no signal is lost, one task');

done_testing();
