# The server crashes before and after the commit of every task of workflows,
# of which each is about one call: their results are those of runs without a
# crash, their histories tell the same, and each effect is there once.
#
# First tasks are done one transaction at a time, and each of those twice: its
# session is killed before it commits, and all is stopped after it has.  Then
# executors do them, and are killed whenever something has happened.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 16
restart_after_crash = on
temporal.check_state = on
temporal.executors = 0
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# ACT is the activity of that workflow: it notes who has called it for what.
# Those that wait for 'go' get it; those called cancelled_... are.
my %bodies = (
	execute_activity => q{
		answer := temporal.execute_activity('ACT', 'a'::text) || temporal.execute_activity('ACT', 'b'::text);},
	activity_fails => q{
		BEGIN
			PERFORM temporal.execute_activity('ACT', 'no a'::text, maximum_attempts => 2, initial_interval => '1 ms');
		EXCEPTION WHEN SQLSTATE 'TF011' THEN
			answer := to_jsonb(SQLERRM) || temporal.execute_activity('ACT', 'after'::text);
		END;},
	activity_times_out => q{
		BEGIN
			PERFORM temporal.execute_activity('ACT', 'a'::text, task_queue => 'nobody', schedule_to_close_timeout => '1 s');
		EXCEPTION WHEN SQLSTATE 'TF014' THEN
			answer := to_jsonb(SQLERRM) || temporal.execute_activity('ACT', 'after'::text);
		END;},
	await => q{
		handles := ARRAY[temporal.start_activity('ACT', 'a'::text), temporal.start_activity('ACT', 'b'::text)];
		answer := temporal.await(handles[2]) || temporal.await(handles[1]);},
	await_all => q{
		handles := ARRAY[temporal.start_activity('ACT', 'a'::text), temporal.start_activity('ACT', 'b'::text), temporal.start_timer('5 ms')];
		answer := to_jsonb(temporal.await_all(handles));},
	await_any => q{
		handles := ARRAY[temporal.start_timer('1 hour'), temporal.start_activity('ACT', 'a'::text)];
		answer := to_jsonb(temporal.await_any(handles));
		PERFORM temporal.cancel_handle(handles[1]);
		answer := answer || temporal.execute_activity('ACT', 'b'::text);},
	execute_local_activity => q{
		answer := temporal.execute_local_activity('ACT', ARRAY['"a"', to_jsonb(id)]);
		PERFORM temporal.sleep('5 ms');
		answer := answer || temporal.execute_local_activity('ACT', ARRAY['"b"', to_jsonb(id)]);},
	local_activity_fails => q{
		BEGIN
			PERFORM temporal.execute_local_activity('ACT', ARRAY['"a"', to_jsonb(id)]);
			PERFORM temporal.execute_local_activity('ACT', ARRAY['"no b"', to_jsonb(id)], maximum_attempts => 1);
		EXCEPTION WHEN SQLSTATE 'TF011' THEN
			PERFORM temporal.sleep('5 ms');
			answer := to_jsonb(SQLERRM) || temporal.execute_local_activity('ACT', ARRAY['"after"', to_jsonb(id)]);
		END;},
	step => q{
		answer := temporal.step('s', 'SELECT app.note($1, $2)', id, 'a'::text);
		PERFORM temporal.sleep('5 ms');
		answer := answer || temporal.step('s', 'SELECT app.note($1, $2)', id, 'b'::text) || temporal.step('s', 'SELECT app.note($1, $2)', id, 'c'::text);},
	step_fails => q{
		BEGIN
			PERFORM temporal.step('s', 'SELECT app.note($1, $2)', id, 'a'::text);
			PERFORM temporal.step('s', 'SELECT app.note($1, $2)', id, 'no b'::text);
		EXCEPTION WHEN SQLSTATE 'TF011' THEN
			answer := to_jsonb(SQLERRM) || temporal.execute_activity('ACT', 'after'::text);
		END;},
	retry_steps => q{
		PERFORM temporal.retry_steps(initial_interval => '5 ms', maximum_attempts => 2);
		BEGIN
			PERFORM temporal.step('s', 'SELECT app.note($1, $2)', id, 'no a'::text);
		EXCEPTION WHEN SQLSTATE 'TF011' THEN
			answer := to_jsonb(SQLERRM) || temporal.step('s', 'SELECT app.note($1, $2)', id, 'b'::text);
		END;},
	cancel_handle => q{
		handles := ARRAY[temporal.start_activity('ACT', 'a'::text)];
		PERFORM temporal.cancel_handle(handles[1]);
		BEGIN
			PERFORM temporal.await(handles[1]);
		EXCEPTION WHEN SQLSTATE 'TF012' THEN
			answer := to_jsonb(SQLERRM) || temporal.execute_activity('ACT', 'b'::text);
		END;},
	awaits_time_out => q{
		handles := ARRAY[temporal.start_timer('1 hour'), temporal.start_timer('1 hour')];
		answer := to_jsonb(temporal.await(handles[1], timeout => '5 ms') IS NULL);
		answer := answer || to_jsonb(temporal.await_all(handles, '5 ms') IS NULL) || to_jsonb(temporal.await_any(handles, '5 ms') IS NULL);
		PERFORM temporal.cancel_handle(handles[1]), temporal.cancel_handle(handles[2]);
		answer := answer || temporal.execute_activity('ACT', 'a'::text);},
	sleep => q{
		PERFORM temporal.sleep('5 ms');
		PERFORM temporal.sleep('5 ms');
		answer := temporal.execute_activity('ACT', 'a'::text);},
	start_timer => q{
		handles := ARRAY[temporal.start_timer('1 hour'), temporal.start_timer('5 ms')];
		PERFORM temporal.await(handles[2]);
		PERFORM temporal.cancel_handle(handles[1]);
		answer := temporal.execute_activity('ACT', 'a'::text);},
	await_signal => q{
		answer := temporal.await_signal('go', '1 hour') || temporal.execute_activity('ACT', 'a'::text);},
	wait_times_out => q{
		answer := to_jsonb(temporal.await_signal('never', '5 ms') IS NULL) || temporal.execute_activity('ACT', 'a'::text);},
	await_signals => q{
		answer := to_jsonb(temporal.await_signals(ARRAY['never', 'go'])) || temporal.execute_activity('ACT', 'a'::text);},
	poll_signal => q{
		PERFORM temporal.await_signal('go');
		answer := to_jsonb(temporal.poll_signal('go') IS NULL) || temporal.execute_activity('ACT', 'a'::text);},
	expect_signal => q{
		answer := temporal.await(temporal.expect_signal('go')) || temporal.execute_activity('ACT', 'a'::text);},
	deterministic => q{
		facts := jsonb_build_array(temporal.workflow_now(), temporal.workflow_random(), temporal.workflow_uuid(), temporal.workflow_info() -> 'start_time');
		answer := to_jsonb(temporal.execute_activity('ACT', facts::text, result => ''::text)::jsonb = facts);
		PERFORM temporal.sleep('5 ms');
		answer := answer || to_jsonb(temporal.execute_activity('ACT', facts::text, result => ''::text)::jsonb = facts);},
	side_effect => q{
		facts := temporal.side_effect(clock_timestamp());
		answer := to_jsonb(temporal.execute_activity('ACT', facts #>> '{}', result => ''::text) = facts #>> '{}');
		PERFORM temporal.sleep('5 ms');
		answer := answer || to_jsonb(temporal.execute_activity('ACT', facts #>> '{}', result => ''::text) = facts #>> '{}');},
	patched => q{
		PERFORM temporal.sleep('5 ms');
		answer := to_jsonb(temporal.patched('p')) || temporal.execute_activity('ACT', 'a'::text);
		answer := answer || to_jsonb(temporal.patched('p'));},
	upsert => q{
		PERFORM temporal.upsert_search_attributes('{"Colour": "red"}'), temporal.upsert_memo('{"note": 1}');
		answer := temporal.execute_activity('ACT', 'a'::text);
		PERFORM temporal.upsert_memo('{"note": null, "more": 2}');
		PERFORM temporal.sleep('5 ms');},
	compensate => q{
		BEGIN
			PERFORM temporal.execute_activity('ACT', 'a'::text), temporal.compensate('ACT', 'undo a'::text);
			PERFORM temporal.execute_activity('ACT', 'b'::text), temporal.compensate('ACT', 'undo b'::text);
			PERFORM temporal.execute_activity('ACT', 'no c'::text, maximum_attempts => 1);
		EXCEPTION WHEN SQLSTATE 'TF011' THEN
			PERFORM temporal.run_compensations();
			answer := to_jsonb(SQLERRM);
		END;},
	fails => q{
		PERFORM temporal.execute_activity('ACT', 'a'::text);
		PERFORM temporal.fail('no more', 'Ended');},
	cancelled_sleep => q{PERFORM temporal.sleep('1 hour');},
	cancelled_signal => q{PERFORM temporal.await_signal('never', '1 hour');},
	cancelled_signals => q{PERFORM temporal.await_signals(ARRAY['never', 'nor this']);},
	cancelled_activity => q{PERFORM temporal.execute_activity('ACT', 'a'::text, task_queue => 'nobody');},
	cancelled_await => q{PERFORM temporal.await(temporal.start_activity('ACT', 'a'::text, task_queue => 'nobody'));},
	cancelled_await_all => q{PERFORM temporal.await_all(ARRAY[temporal.start_timer('1 hour'), temporal.start_activity('ACT', 'a'::text, task_queue => 'nobody')]);},
	cancelled_await_any => q{PERFORM temporal.await_any(ARRAY[temporal.start_timer('1 hour'), temporal.start_timer('2 hours')]);},
	cancelled_expect => q{PERFORM temporal.await(temporal.expect_signal('never'));},
	cancelled_local => q{PERFORM temporal.execute_local_activity('ACT', ARRAY['"no a"', to_jsonb(id)], initial_interval => '1 hour', maximum_attempts => 2);},
	cancelled_compensate => q{
		BEGIN
			PERFORM temporal.execute_activity('ACT', 'a'::text), temporal.compensate('ACT', 'undo a'::text);
			PERFORM temporal.execute_activity('ACT', 'b'::text), temporal.compensate('ACT', 'undo b'::text);
			PERFORM temporal.await_signal('never');
		EXCEPTION WHEN SQLSTATE 'TF020' THEN
			PERFORM temporal.run_compensations();
			RAISE;
		END;},
	cancelled_steps => q{
		PERFORM temporal.step('s', 'SELECT app.note($1, $2)', id, 'a'::text);
		PERFORM temporal.sleep('1 hour');},
	cancelled_for_good => q{
		PERFORM temporal.sleep('1 hour');},
);

# Those that are cancelled clean up, but for one.
for my $name (grep { /^cancelled/ && !/for_good/ } keys %bodies)
{
	$bodies{$name} = qq{
		BEGIN
			$bodies{$name}
		EXCEPTION WHEN SQLSTATE 'TF020' THEN
			answer := to_jsonb(temporal.is_cancelled()) || temporal.execute_activity('ACT', 'clean up'::text);
		END;};
}

sql(q{
	CREATE EXTENSION temporal;
	SELECT temporal.add_search_attribute('Colour', 'Keyword');
	CREATE SCHEMA app;
	CREATE TABLE app.effect (workflow_id text, what text);
	CREATE FUNCTION app.note(id text, what text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO app.effect VALUES (id, what);
		IF what LIKE 'no %' THEN RAISE EXCEPTION '%', what; END IF;
		RETURN what;
	END $$;
	-- A local activity is not told whose it is.
	CREATE FUNCTION app.act(what text, id text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN app.note(coalesce(id, temporal.activity_info() ->> 'workflow_id'), what);
	END $$;
	CREATE FUNCTION app.apart(what text) RETURNS text LANGUAGE sql AS $$ SELECT upper(what) $$;
	CREATE FUNCTION app.later(what text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.complete_later();
		RETURN NULL;
	END $$;
	CREATE FUNCTION app.abroad() RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_activity('apart', 'a'::text) || temporal.execute_activity('later', 'b'::text, activity_id => 'later', start_to_close_timeout => '1 hour');
	END $$;
	SELECT temporal.register_workflow('app.abroad', task_queue => 'abroad');
	SELECT temporal.register_activity('app.apart', task_queue => 'abroad', transactional => false),
		temporal.register_activity('app.later', task_queue => 'abroad', transactional => false);
});
for my $name (sort keys %bodies)
{
	(my $body = $bodies{$name}) =~ s/ACT/act_$name/g;
	sql(qq{
		CREATE FUNCTION app.$name() RETURNS jsonb LANGUAGE plpgsql AS \$\$
		DECLARE
			id text := temporal.workflow_info() ->> 'workflow_id';
			handles bigint[];
			facts jsonb;
			answer jsonb;
		BEGIN
			$body
			RETURN answer;
		END \$\$;
		SET client_min_messages = error;
		SELECT temporal.register_workflow('app.$name', task_queue => '$name'), temporal.register_activity('app.act', 'act_$name', task_queue => '$name')});
}

my @names = sort keys %bodies;

sub start_all
{
	my ($prefix, @names) = @_;

	sql("SELECT temporal.start_workflow(n, workflow_id => '$prefix ' || n) FROM unnest('{" . join(',', @names) . "}'::text[]) n");
}

# Signals and cancels, as a client that may have to say it again.
sub speak
{
	my ($prefix) = @_;

	sql(qq{SELECT temporal.signal_workflow(workflow_id, 'go', '"gone"', request_id => 'go ' || workflow_id) FROM temporal.workflows WHERE workflow_id ~ '^$prefix .*signal' AND status = 'Running';
		SELECT temporal.cancel_workflow(workflow_id) FROM temporal.workflows w WHERE workflow_id ~ '^$prefix cancelled' AND status = 'Running'
			AND NOT EXISTS (SELECT FROM temporal.history(w.workflow_id) WHERE event_type = 'WorkflowExecutionCancelRequested')});
}

sub running
{
	my ($prefix) = @_;

	return sql("SELECT count(*) FROM temporal.workflows WHERE workflow_id LIKE '$prefix %' AND status = 'Running'");
}

sub wait_for_server
{
	my ($postmaster) = @_;

	for (1 .. 600)
	{
		my ($ret) = $node->psql('postgres', 'SELECT 1');

		return if $ret == 0;
		sleep(0.05);
	}
	die 'the server did not come back';
}

# What of a history is the same however often and when workers looked.
sub tale
{
	my ($prefix, $name) = @_;

	return sql(qq{SELECT status || ': ' || coalesce((SELECT string_agg(n || ' ' || event_type, ', ' ORDER BY event_type) FROM (
			SELECT event_type, count(*) n FROM temporal.history('$prefix $name') WHERE event_type NOT LIKE 'WorkflowTask%' GROUP BY 1) e), '')
		|| ': ' || coalesce((SELECT string_agg(coalesce(attributes -> 'result', attributes -> 'failure' -> 'message')::text, ',') FROM temporal.history('$prefix $name') WHERE event_type LIKE 'WorkflowExecution%ed'
			AND event_type NOT LIKE '%Started'), '')
		|| ': ' || (SELECT coalesce(string_agg(CASE WHEN what LIKE '%-%' THEN 'fact' ELSE what END, ', ' ORDER BY what), '') FROM app.effect WHERE workflow_id = '$prefix $name')
		FROM temporal.workflows WHERE workflow_id = '$prefix $name'});
}

sub compare
{
	my ($prefix, $how) = @_;

	for my $name (@names)
	{
		is(tale($prefix, $name), tale('calm', $name), "$how: $name");
	}
	is(sql(qq{SELECT string_agg(w.workflow_id, ', ') FROM temporal.workflows w WHERE w.workflow_id LIKE '$prefix %' AND (SELECT array_agg(event_id ORDER BY event_id) FROM temporal.history(w.workflow_id))
			IS DISTINCT FROM (SELECT array_agg(i) FROM generate_series(1, w.history_length) i)}), '', "$how: histories have no gaps");
	is(sql(qq{SELECT string_agg(workflow_id || ': ' || r, '; ') FROM temporal.workflows, temporal.replay('app.' || workflow_type, workflow_id) r WHERE workflow_id LIKE '$prefix %'}), '', "$how: replays agree");
}

# ---- without a crash

start_all('calm', @names);
for (1 .. 200)
{
	sql('SELECT temporal.tick()');
	speak('calm') if $_ == 2;
	last if running('calm') == 0;
	sleep(0.05);
}
is(running('calm'), 0, 'all end');
is(tale('calm', 'execute_activity'), 'Completed: 2 ActivityTaskCompleted, 2 ActivityTaskScheduled, 2 ActivityTaskStarted, 1 WorkflowExecutionCompleted, 1 WorkflowExecutionStarted: [["a", "b"]]: a, b',
	'as they should');
like(tale('calm', 'cancelled_for_good'), qr/^Canceled: /, 'or not');
is(sql(q{SELECT count(*) FROM temporal.workflows WHERE status = 'Failed'}), 1, 'one fails');
is(sql(q{SELECT count(*) FROM (SELECT FROM app.effect GROUP BY workflow_id, what HAVING count(*) > 1 AND what NOT LIKE '%-%') e}), 0, 'nothing is done twice');

# ---- a crash before and after each commit

sub cut
{
	my ($prefix, $at_least) = @_;
	my $crashes = 0;
	my $round = 0;

	start_all($prefix, @names);
	while (running($prefix) > 0 && ++$round < 40)
	{
		speak($prefix) if $round >= 3;
		# So many that each queue gives one, if nothing else is due.
		my $tasks = sql(q{SELECT count(DISTINCT queue_id) FROM temporal.task WHERE queue IS DISTINCT FROM 'nobody'});

		if ($tasks == 0)
		{
			sleep(0.1);
			sql('SELECT temporal.tick(1)');
			next;
		}
		$node->psql('postgres', "BEGIN; SELECT temporal.tick($tasks); COPY (SELECT 1) TO PROGRAM 'kill -KILL \$PPID'; COMMIT");
		wait_for_server();
		sql("SELECT temporal.tick($tasks)");
		$node->stop('immediate');
		$node->start;
		$crashes += 2;
	}
	note "$crashes crashes in $round rounds";
	is(running($prefix), 0, 'all end, though the server crashes') or diag(sql(q{SELECT workflow_id FROM temporal.workflows WHERE status = 'Running'}));
	cmp_ok($crashes, '>=', $at_least, 'again and again');
}

cut('cut', 4);
compare('cut', 'crashes, and activities in the pass');

# Those that heartbeat have tasks of their own.
sql(qq{SELECT temporal.register_activity('app.act', 'act_' || n, task_queue => n, heartbeat_timeout => '1 minute') FROM unnest(string_to_array('@names', ' ')) n});
cut('spread', 10);
compare('spread', 'crashes, and activities in tasks of their own');

# ---- executors that are killed

# A few at a time, so that there is always something to interrupt.
my @left = (@names, 'abroad');
start_all('killed', splice(@left, 0, 5));
sql('ALTER SYSTEM SET temporal.executors = 2; SELECT pg_reload_conf()');
my $seen = '';
my $kills = 0;
for (1 .. 1200)
{
	my $now = eval { sql(q{SELECT count(*) FROM temporal.events WHERE workflow_id LIKE 'killed %'}) } // $seen;

	if ($now ne $seen && ($kills < 3 || @left))
	{
		my $pid = eval { sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'temporal executor' ORDER BY random() LIMIT 1}) };

		if ($pid)
		{
			start_all('killed', splice(@left, 0, 5)) if @left;
			sleep(rand(0.1));
			kill 'KILL', $pid;
			$kills++;
			wait_for_server();
		}
	}
	$seen = $now;
	eval { speak('killed') } if $_ % 5 == 0;
	eval { sql(q{SELECT temporal.complete_activity('killed abroad', 'later', '"B"') FROM temporal.pending_activities WHERE workflow_id = 'killed abroad' AND activity_type = 'later' AND state = 'Started'}) };
	last if !@left && (eval { running('killed') } // 1) == 0;
	sleep(0.05);
}
note "$kills kills";
is(running('killed'), 0, 'all end, though executors are killed') or diag(sql(q{SELECT workflow_id FROM temporal.workflows WHERE status = 'Running'}));
cmp_ok($kills, '>', 0, 'some were');
compare('killed', 'executors are killed');
is(sql(q{SELECT temporal.workflow_result('killed abroad')}), '["A", "B"]', 'activities with effects elsewhere, too');

done_testing();
