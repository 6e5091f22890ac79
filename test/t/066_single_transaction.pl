# Workers whose work, task and completion are one transaction: whatever ends
# it, the attempt counts, the backoff of its retry policy passes before the
# next, and other things that happen to the workflow need not wait for it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
restart_after_crash = on
fsync = off
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sql('CREATE EXTENSION temporal; CREATE EXTENSION dblink');
{
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	command_ok([ 'psql', '-Xqf', 'test/t/include/shop.sql', 'postgres' ], 'handlers are made');
}
sql(q{
	CREATE TABLE called (workflow_id text, attempt integer, at timestamptz DEFAULT clock_timestamp());
	CREATE TABLE limited (n integer CHECK (n > 0));
	CREATE TABLE singular (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO singular VALUES (1);

	-- Notes that a handler was called, whatever becomes of its transaction.
	CREATE FUNCTION note_call(id text, attempt integer) RETURNS void LANGUAGE sql AS $$
		SELECT dblink_exec(format('host=%s port=%s dbname=%s', current_setting('unix_socket_directories'),
				current_setting('port'), current_database()),
			format('INSERT INTO called VALUES (%L, %s)', id, attempt))
	$$;

	CREATE FUNCTION violates(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM note_call(task ->> 'workflowId', (task ->> 'attempt')::integer);
		INSERT INTO limited VALUES (-1);
		RETURN NULL;
	END
	$$;
	CREATE FUNCTION violates_later(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM note_call(task ->> 'workflowId', (task ->> 'attempt')::integer);
		INSERT INTO singular VALUES (1);
		RETURN NULL;
	END
	$$;
	CREATE FUNCTION ends_itself(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM note_call(task ->> 'workflowId', (task ->> 'attempt')::integer);
		PERFORM pg_terminate_backend(pg_backend_pid());
		PERFORM pg_sleep(1000);
		RETURN NULL;
	END
	$$;
	CREATE FUNCTION hangs(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM note_call(task ->> 'workflowId', (task ->> 'attempt')::integer);
		PERFORM pg_sleep(1000);
		RETURN NULL;
	END
	$$;

	-- A worker in plain SQL; the client ends its transaction.
	CREATE FUNCTION poll_and_insert(target text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		task record;
	BEGIN
		SELECT * INTO task FROM temporal.poll_activity_tasks('shop');
		IF task.task_token IS NULL THEN
			RETURN 'nothing';
		END IF;
		PERFORM note_call(task.workflow_id, task.attempt);
		EXECUTE format('INSERT INTO %I VALUES (%s)', target, CASE target WHEN 'limited' THEN -1 ELSE 1 END);
		PERFORM temporal.complete_activity_task(task.task_token);
		RETURN 'done';
	END
	$$;});

my @backoff = (0.2, 0.4);

# Works until the workflow has closed: three attempts, no more, not too soon.
sub fails_in_time
{
	my ($id, $work, $failure) = @_;
	my $closed = "SELECT count(*) = 1 FROM temporal.workflows WHERE workflow_id = '$id' AND close_time IS NOT NULL";

	sql(qq{
		SELECT temporal.start_workflow('t', '0', '$id', 'shop', memo =>
			'{"retryPolicy": {"initialInterval": "0.2s", "maximumAttempts": 3}}') \\g /dev/null
		CALL temporal.work('shop', 'decide', 'workflow', idle_timeout => '0')});
	for (1 .. 200)
	{
		$work->();
		sql(q{CALL temporal.work('shop', 'decide', 'workflow', idle_timeout => '50 ms')});
		last if sql($closed) eq 't';
	}
	is(sql("SELECT string_agg(attempt::text, ' ' ORDER BY at) FROM called WHERE workflow_id = '$id'"),
		'1 2 3', "$id: called as often as the policy allows");
	my @gaps = split(/ /, sql(qq{
		SELECT string_agg(extract(epoch FROM gap)::text, ' ' ORDER BY at)
		FROM (SELECT at, at - lag(at) OVER (ORDER BY at) AS gap FROM called WHERE workflow_id = '$id') s}));
	cmp_ok($gaps[$_], '>=', $backoff[$_], "$id: with the backoff of its policy") for 0 .. 1;
	my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT temporal.workflow_result('$id')");
	like($err, $failure, "$id: the workflow learns why");
	is(sql("SELECT count(*) FROM limited") . sql('SELECT count(*) FROM singular'), '01', "$id: nothing is left of it");
}

sub try_psql
{
	my ($ret, $out, $err) = $node->psql('postgres', $_[0]);
	return $out;
}

note 'a constraint';

fails_in_time('check, work()',
	sub { sql(q{CALL temporal.work('shop', 'violates', max_tasks => 1, idle_timeout => '100 ms')}) },
	qr/TF001: .*violates check constraint/);
fails_in_time('check, by hand', sub { try_psql(q{SELECT poll_and_insert('limited')}) },
	qr/TF001: .*transaction of the worker was rolled back/);
fails_in_time('deferred, work()',
	sub { sql(q{CALL temporal.work('shop', 'violates_later', max_tasks => 1, idle_timeout => '100 ms')}) },
	qr/TF001: .*duplicate key value violates unique constraint/);
fails_in_time('deferred, by hand', sub { try_psql(q{SELECT poll_and_insert('singular')}) },
	qr/TF001: .*transaction of the worker was rolled back/);
fails_in_time('rolled back by the client',
	sub { try_psql(q{
		BEGIN;
		SELECT note_call(workflow_id, attempt) FROM temporal.poll_activity_tasks('shop');
		ROLLBACK}) },
	qr/TF001: .*transaction of the worker was rolled back/);

note 'the end of the session';

fails_in_time('ends itself, work()',
	sub { try_psql(q{CALL temporal.work('shop', 'ends_itself', max_tasks => 1, idle_timeout => '100 ms')}) },
	qr/TF001/);
fails_in_time('ends itself, by hand',
	sub { try_psql(q{
		BEGIN;
		SELECT note_call(workflow_id, attempt), pg_terminate_backend(pg_backend_pid())
		FROM temporal.poll_activity_tasks('shop');
		SELECT pg_sleep(0.1)}) },
	qr/TF001: .*transaction of the worker was rolled back/);

# The server restarts all its processes.
sub kill_a_worker
{
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $attempts = sql("SELECT count(*) FROM called WHERE workflow_id = 'killed'");

	$psql->query_until(qr/working/, "\\echo working\nCALL temporal.work('shop', 'hangs', max_tasks => 1, idle_timeout => '200 ms');\n");
	my $pid = '';
	for (1 .. 50)
	{
		$pid = sql(q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL temporal.work%' AND wait_event = 'PgSleep'});
		last if $pid ne '' || sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL temporal.work%' AND state = 'active'}) eq '0';
	}
	if ($pid ne '')
	{
		kill 'KILL', $pid;
		$psql->{run}->finish;
		$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)")
		  or die 'the server does not come back';
	}
	else
	{
		$psql->quit;
	}
}
fails_in_time('killed', \&kill_a_worker, qr/TF001/);

note 'a long one';

my $worker = $node->background_psql('postgres');
sql(q{
	SELECT temporal.start_workflow('t', '0', 'long', 'shop') \g /dev/null
	CALL temporal.work('shop', 'decide', 'workflow', idle_timeout => '100 ms')});
$worker->query_safe('BEGIN');
my $token = $worker->query_safe(q{SELECT task_token FROM temporal.poll_activity_tasks('shop')});
isnt($token, '', 'a worker has a task');
$worker->query_safe(q{INSERT INTO charged VALUES ('long', 1)});
for my $call (
	q{temporal.signal_workflow('long', 's')},
	q{temporal.describe_workflow('long')},
	q{temporal.poll_workflow_task('shop') IS NOT NULL},
	q{temporal.cancel_workflow('long')},
	q{temporal.poll_activity_tasks('shop')},
	q{count(*) FROM temporal.workflows})
{
	is(try_psql("SET statement_timeout = '1s'; SELECT 'yes' FROM (SELECT $call) s"),
		$call =~ /poll_activity/ ? '' : 'yes', "meanwhile $call");
}
$worker->query_safe("SELECT temporal.complete_activity_task('$token', to_jsonb('charged long'::text))");
$worker->query_safe('COMMIT');
$worker->quit;
is(sql(q{SELECT string_agg(event_type, ' ' ORDER BY event_id) FROM temporal.history('long') WHERE event_type LIKE 'Activity%' OR event_type LIKE '%Signaled'}),
	'ActivityTaskScheduled WorkflowExecutionSignaled', 'what it has done waits for the workflow task that was taken meanwhile');
is(sql(q{SELECT count(*) FROM charged WHERE workflow_id = 'long'}), '1', 'its work is there');

done_testing();
