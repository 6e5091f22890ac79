# What a function of one role may try in the executors: to read what belongs to
# others, to become somebody else, to leave something behind for the next.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 16
temporal.check_state = on
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# Runs statements as a role.
sub sql_as
{
	my ($role, $statements) = @_;

	return sql("SET SESSION AUTHORIZATION $role; $statements");
}

# Starts a workflow and waits for its result, or its failure.
sub outcome
{
	my ($role, $type, $input, %options) = @_;
	my $argument = defined $input ? "'$input'" : 'NULL';
	my $more = join('', map { ", $_ => '$options{$_}'" } sort keys %options);
	my ($ret, $out, $err) = $node->psql('postgres',
		"SET SESSION AUTHORIZATION $role; CALL temporal.execute_workflow('$type', $argument, timeout => '20 s'$more)");

	return $ret == 0 ? $out : $err;
}

# The first failure of an activity or a workflow task of a workflow.
sub first_failure
{
	my ($workflow_id) = @_;
	my $query = qq{SELECT attributes #>> '{failure,message}' FROM temporal.history('$workflow_id')
		WHERE event_type IN ('WorkflowTaskFailed', 'ActivityTaskFailed') ORDER BY event_id LIMIT 1};

	$node->poll_query_until('postgres', "SELECT ($query) IS NOT NULL");
	return sql($query);
}

# Alice is attacked by Mallory; Root is a superuser whose functions run, too.
sql(q{
	CREATE EXTENSION temporal;
	CREATE ROLE root LOGIN SUPERUSER;
	DO $$ DECLARE r text; BEGIN
	FOREACH r IN ARRAY ARRAY['alice', 'mallory'] LOOP
		EXECUTE format('CREATE ROLE %I LOGIN', r);
		PERFORM temporal.grant_usage(r, 'default', u) FROM unnest(ARRAY['client', 'worker', 'viewer']) u;
	END LOOP;
	FOREACH r IN ARRAY ARRAY['alice', 'mallory', 'root'] LOOP
		EXECUTE format('CREATE SCHEMA %1$I AUTHORIZATION %1$I', r);
		EXECUTE format('SET SESSION AUTHORIZATION %I', r);
		EXECUTE format('CREATE TABLE %I.secret AS SELECT %1$L AS s', r);
		EXECUTE format('CREATE FUNCTION %1$I.who() RETURNS text LANGUAGE sql AS %2$L', r, 'SELECT session_user || '' '' || current_user');
		EXECUTE format('CREATE FUNCTION %1$I.ask_who() RETURNS text LANGUAGE plpgsql AS %2$L', r,
			format('BEGIN RETURN temporal.execute_activity(%L, result => %L::text); END', 'who_' || r, ''));
		PERFORM temporal.register_activity(r || '.who', 'who_' || r, task_queue => r);
		PERFORM temporal.register_workflow(r || '.ask_who', 'ask_' || r, task_queue => r);
		SET SESSION AUTHORIZATION DEFAULT;
	END LOOP;
	END $$;
	GRANT USAGE ON SCHEMA mallory TO PUBLIC;
});
like(outcome($_, "ask_$_"), qr/"$_ $_"/, "$_ runs as $_") for 'alice', 'mallory', 'root';

note 'a task on the queue of somebody else';

sql_as('mallory', q{
	CREATE FUNCTION mallory.rob() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN (SELECT 'robbed ' || s FROM root.secret);
	END $$;
	CREATE FUNCTION mallory.rob_by(queue text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_activity('rob', task_queue => queue, maximum_attempts => 1, result => queue);
	END $$;
	SELECT temporal.register_activity('mallory.rob', task_queue => 'mallory'), temporal.register_workflow('mallory.rob', 'rob_flow', task_queue => 'mallory'),
		temporal.register_workflow('mallory.rob_by', task_queue => 'mallory');
});
for my $victim ('alice', 'root')
{
	unlike(outcome('mallory', 'rob_by', qq{"$victim"}), qr/robbed/, "an activity on the queue of $victim does not run as $victim");
	sql_as('mallory', qq{SELECT temporal.start_workflow('rob_flow', task_queue => '$victim', workflow_id => 'rob $victim')});
	like(first_failure("rob $victim"), qr/"rob_flow" is registered by role "mallory", not "$victim"/, 'nor does a workflow');
}

note 'a name that meant something else';

sql_as('root', q{
	CREATE FUNCTION root.locally(name text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_local_activity(name, result => name);
	EXCEPTION WHEN SQLSTATE 'TF011' THEN
		RETURN SQLERRM;
	END $$;
	SELECT temporal.register_workflow('root.locally', task_queue => 'root')});
like(outcome('root', 'locally', '"who_root"'), qr/"root root"/, 'a local activity of its own');
like(outcome('root', 'locally', '"rob"'), qr/"rob\\" is registered by role \\"mallory\\", not \\"root/, 'one of somebody else does not run as the caller');
my ($ret, $out, $err) = $node->psql('postgres', q{SET SESSION AUTHORIZATION mallory; SELECT temporal.register_activity('mallory.who', 'who_alice', task_queue => 'mallory')});
like($err, qr/activity "who_alice" belongs to role "alice"/, 'the name of a function of others cannot be taken');
($ret, $out, $err) = $node->psql('postgres', q{SET SESSION AUTHORIZATION mallory; SELECT temporal.register_activity('mallory.who', 'mine', task_queue => 'alice')});
like($err, qr/serves activity functions of role "alice"/, 'nor their queue');
($ret, $out, $err) = $node->psql('postgres', q{SET SESSION AUTHORIZATION mallory; SELECT temporal.unregister_activity('who_alice')});
like($err, qr/activity "who_alice" belongs to role "alice"/, 'nor taken away');

done_testing();
