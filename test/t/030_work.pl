# CALL temporal.work(): its session ends with its client, idle or busy; a task
# that somebody holds is taken when it is free; a handler that fails is not
# called without pause.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION temporal;
	CREATE TABLE done (workflow_id text);
	CREATE FUNCTION decide(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock(1);
		INSERT INTO done VALUES (task #>> '{workflowExecution,workflowId}');
		RETURN '[{"commandType": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION",
			"completeWorkflowExecutionCommandAttributes": {}}]';
	END
	$$;
});

# A psql that can be killed.
sub start_worker
{
	return IPC::Run::start(
		[
			'psql', '-XAtq', '-d', $node->connstr('postgres'),
			'-c', "CALL temporal.work('queue', 'decide', 'workflow')"
		],
		'<', \undef, '&>', \my $output);
}

sub worker_waits_for
{
	my ($what) = @_;

	return $node->poll_query_until('postgres', qq{
		SELECT count(*) = 1 FROM pg_stat_activity
		WHERE query LIKE 'CALL temporal.work%' AND wait_event_type = '$what'});
}

sub worker_ends
{
	my ($name) = @_;

	ok( $node->poll_query_until('postgres', q{
		SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'CALL temporal.work%'}),
		$name);
}

my $worker = start_worker();
ok(worker_waits_for('Extension'), 'a worker waits for a task');
$worker->kill_kill(grace => 0);
worker_ends('its session ends when it is killed');

my $blocker = $node->background_psql('postgres');
$blocker->query_safe('SELECT pg_advisory_lock(1)');
$worker = start_worker();
$node->safe_psql('postgres',
	"SELECT temporal.start_workflow('w', workflow_id => id, task_queue => 'queue') FROM unnest('{a,b}'::text[]) id");
ok(worker_waits_for('Lock'), 'a worker has a task');
$worker->kill_kill(grace => 0);
$blocker->quit;
worker_ends('its session ends when it is killed and the task is done');
is($node->safe_psql('postgres', 'SELECT count(*) FROM done'), '1', 'it did not take another task');
is($node->safe_psql('postgres', 'SELECT backlog FROM temporal.task_queues'), '1', 'which is there for others');

$blocker = $node->background_psql('postgres');
$blocker->query_safe("BEGIN; SELECT temporal.signal_workflow(workflow_id, 's') FROM temporal.workflows WHERE status = 'Running'");
$worker = start_worker();
ok(worker_waits_for('Extension'), 'a worker waits for a task that somebody holds');
$blocker->query_safe('COMMIT');
$blocker->quit;
ok($node->poll_query_until('postgres', 'SELECT count(*) = 2 FROM done'), 'it takes it when it is free');
$worker->kill_kill(grace => 0);
worker_ends('its session ends');

# A worker that ends without a word loses its task at once.
$node->safe_psql('postgres', q{
	CREATE FUNCTION hangs(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_sleep(1000);
		RETURN NULL;
	END
	$$;
	SELECT temporal.start_workflow('w', workflow_id => 'hangs', task_queue => 'hangs');
});
$worker = IPC::Run::start(
	['psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL temporal.work('hangs', 'hangs', 'workflow')"],
	'<', \undef, '&>', \my $ignored);
ok($node->poll_query_until('postgres', q{
	SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'CALL temporal.work%' AND wait_event = 'PgSleep'}),
	'a worker has a task');
$node->safe_psql('postgres', q{
	SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL temporal.work%'});
$worker->finish;
$node->poll_query_until('postgres', q{
	SELECT temporal.describe_workflow('hangs') #>> '{pendingWorkflowTask,attempt}' = '2'}) or die 'no second attempt';
is( $node->safe_psql('postgres', q{
		SELECT event_type || ': ' || (attributes #>> '{failure,message}') FROM temporal.history('hangs')
		ORDER BY event_id DESC LIMIT 1}),
	'WorkflowTaskFailed: session of the worker has ended',
	'a workflow task fails when the session that works on it has ended');

# Transactions that collide are tried again as the same attempt, to a limit.
$node->safe_psql('postgres', q{
	CREATE FUNCTION schedule(task jsonb) RETURNS jsonb LANGUAGE sql RETURN
		'[{"commandType": "COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK", "scheduleActivityTaskCommandAttributes":
			{"activityId": "a", "activityType": {"name": "a"}, "startToCloseTimeout": "60s"}}]'::jsonb;
	CREATE SEQUENCE calls;
	CREATE FUNCTION collide(task jsonb, successful_call bigint, result jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('calls') < successful_call THEN
			RAISE EXCEPTION USING ERRCODE = CASE currval('calls') % 2 WHEN 0 THEN '40001' ELSE '40P01' END;
		END IF;
		RETURN result;
	END
	$$;
	CREATE FUNCTION collide_deciding(task jsonb) RETURNS jsonb LANGUAGE sql
		RETURN collide(task, 10, schedule(task));
	CREATE FUNCTION collide_acting(task jsonb) RETURNS jsonb LANGUAGE sql RETURN collide(task, 10, '"done"');
	CREATE FUNCTION collide_always(task jsonb) RETURNS jsonb LANGUAGE sql RETURN collide(task, 1000, '[]');
	SELECT temporal.start_workflow('w', workflow_id => 'collides', task_queue => 'collides');
	CALL temporal.work('collides', 'collide_deciding', 'workflow', max_tasks => 1);
	ALTER SEQUENCE calls RESTART;
	CALL temporal.work('collides', 'collide_acting', max_tasks => 1);
	ALTER SEQUENCE calls RESTART;
	CALL temporal.work('collides', 'collide_always', 'workflow', max_tasks => 1)});
is( $node->safe_psql('postgres', q{
		SELECT string_agg(event_type || coalesce(' ' || (attributes ->> 'attempt'), ''), ', ' ORDER BY event_id)
		FROM temporal.history('collides') WHERE event_type NOT LIKE 'Workflow%ed' OR event_type = 'WorkflowTaskFailed'}),
	'ActivityTaskScheduled, ActivityTaskStarted 1, ActivityTaskCompleted, WorkflowTaskFailed',
	'what collides is tried again as the same attempt');
is($node->safe_psql('postgres', 'SELECT last_value FROM calls'), '10', 'and fails in the end');

# A task that somebody holds is not there for others, whatever is held of it.
$node->safe_psql('postgres', q{
	SELECT temporal.start_workflow('w', workflow_id => 'held', task_queue => 'held');
});

sub task_is_there
{
	my ($type, $timeout) = @_;

	return $node->safe_psql('postgres',
		"CALL temporal.wait_for_task('held', '$timeout', task_type => '$type')");
}

sub start_waiting
{
	my ($type, $output) = @_;
	my $waiter = IPC::Run::start(
		['psql', '-XAtq', '-d', $node->connstr('postgres'),
			'-c', "CALL temporal.wait_for_task('held', '180 s', task_type => '$type')"],
		'<', \undef, '&>', $output);

	$node->poll_query_until('postgres', q{
		SELECT count(*) = 1 FROM pg_stat_activity
		WHERE query LIKE 'CALL temporal.wait_for_task%' AND wait_event_type = 'Extension'})
	  or die 'nobody waits';
	return $waiter;
}

is(task_is_there('workflow', '180 s'), 't', 'a task that is free is found');
$blocker = $node->background_psql('postgres');
$blocker->query_safe("BEGIN; SELECT temporal.signal_workflow('held', 's')");
is(task_is_there('workflow', '10 ms'), 'f', 'a workflow task is not while its run is locked');
my $waiter = start_waiting('workflow', \my $found);
$blocker->query_safe('COMMIT');
$waiter->finish;
is($found, "t\n", 'it is when that is over');
$node->safe_psql('postgres', q{CALL temporal.work('held', 'schedule', 'workflow', max_tasks => 1)});
$blocker->query_safe("BEGIN; SELECT count(*) FROM temporal.poll_activity_tasks('held')");
is(task_is_there('activity', '10 ms'), 'f', 'an activity that somebody has taken is not found');
$waiter = start_waiting('activity', \$found);
$blocker->query_safe('ROLLBACK');
$blocker->quit;
$waiter->finish;
is($found, "t\n", 'it is when it is given back');

# The workflow ends while its handler runs, and by what its handler does.
$node->safe_psql('postgres', q{
	CREATE FUNCTION end_itself(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.terminate_workflow(task #>> '{workflowExecution,workflowId}');
		RETURN '[]';
	END
	$$;
	CREATE FUNCTION fail_late(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock(1);
		RAISE EXCEPTION 'too late';
	END
	$$;
	SELECT temporal.start_workflow('w', workflow_id => id, task_queue => id) FROM unnest('{late,self}'::text[]) id;
});
$blocker = $node->background_psql('postgres');
$blocker->query_safe('SELECT pg_advisory_lock(1)');
my ($out, $err) = ('', '');
$worker = IPC::Run::start(
	['psql', '-XAtq', '-d', $node->connstr('postgres'),
		'-c', "CALL temporal.work('late', 'fail_late', 'workflow', max_tasks => 1)"],
	'<', \undef, '>', \$out, '2>', \$err);
ok(worker_waits_for('Lock'), 'a worker has a task');
$node->safe_psql('postgres', "SELECT temporal.terminate_workflow('late')");
$blocker->quit;
ok($worker->finish, 'a handler that fails after its workflow has ended does not end the worker');
is($err, '', 'which says nothing');

$node->safe_psql('postgres', "CALL temporal.work('self', 'end_itself', 'workflow', max_tasks => 1)");
is( $node->safe_psql('postgres', q{
		SELECT attributes #>> '{failure,message}' FROM temporal.history('self')
		WHERE event_type = 'WorkflowTaskFailed'}),
	'Workflow task not found.',
	'a handler that ends its own workflow has failed');
$node->safe_psql('postgres', q{
	CREATE FUNCTION fail(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
	SELECT temporal.start_workflow('w', workflow_id => 'failing', task_queue => 'failing');
});
$node->safe_psql('postgres', q{CALL temporal.work('failing', 'fail', 'workflow', idle_timeout => '0.2 s')});
is( $node->safe_psql('postgres', q{
	SELECT temporal.describe_workflow('failing') #>> '{pendingWorkflowTask,attempt}'}),
	'2',
	'the second failure in a row of a workflow task runs into its timeout');

# Whoever waits means the run that it found, not one that is started later.
$node->safe_psql('postgres', "SELECT temporal.start_workflow('w', workflow_id => 'again')");
$worker = IPC::Run::start(
	['psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL temporal.await_result('again', '20 s')"],
	'<', \undef, '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', q{
	SELECT count(*) = 1 FROM pg_stat_activity
	WHERE query LIKE 'CALL temporal.await_result%' AND wait_event_type = 'Extension'})
  or die 'nobody waits';
$node->safe_psql('postgres', q{
	BEGIN;
	SELECT temporal.terminate_workflow('again');
	SELECT temporal.start_workflow('w', workflow_id => 'again');
	COMMIT});
$worker->finish;
like($err, qr/terminated/, 'a result is waited for until its run ends, though another has begun');

# Workers do not fail each other, whatever the default isolation is.
$node->safe_psql('postgres', q{
	CREATE FUNCTION finish(task jsonb) RETURNS jsonb LANGUAGE sql RETURN
		'[{"commandType": "CompleteWorkflowExecution", "completeWorkflowExecutionCommandAttributes": {}}]'::jsonb;
	SELECT temporal.start_workflow('w', task_queue => 'many') FROM generate_series(1, 200);
});
{
	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=serializable';
	my @output = ('') x 4;
	my @workers = map {
		IPC::Run::start(
			['psql', '-XAtq', '-d', $node->connstr('postgres'),
				'-c', "CALL temporal.work('many', 'finish', 'workflow', idle_timeout => '1 s')"],
			'<', \undef, '&>', \$output[$_])
	} 0 .. $#output;
	$_->finish foreach @workers;
	is(join('', @output), '', 'workers at SERIALIZABLE go on');
}

done_testing();
