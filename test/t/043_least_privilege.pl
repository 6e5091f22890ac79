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

note 'ways to become somebody else';

my %attempts = (
	set_role => 'SET ROLE root;',
	set_local_role => 'SET LOCAL ROLE alice;',
	set_config => q{PERFORM set_config('role', 'root', false);},
	set_authorization => 'SET SESSION AUTHORIZATION root;',
	reset_authorization => 'RESET SESSION AUTHORIZATION; RESET ROLE;',
	replication_role => 'SET session_replication_role = replica;',
	superuser => 'ALTER ROLE mallory SUPERUSER;',
	owner => 'ALTER FUNCTION mallory.steal_owner() OWNER TO root;',
	definer => 'ALTER FUNCTION root.who() SECURITY DEFINER;',
	row_security => 'SET row_security = off;',
	listen => 'LISTEN something;',
	engine => q{UPDATE temporal.registration SET role_name = 'root';},
);
sql_as('mallory', qq{
	CREATE FUNCTION mallory.steal_$_() RETURNS text LANGUAGE plpgsql AS \$\$
	BEGIN
		BEGIN
			$attempts{$_}
		EXCEPTION WHEN OTHERS THEN
		END;
		RETURN (SELECT 'robbed ' || s FROM root.secret);
	END \$\$;
	SELECT temporal.register_activity('mallory.steal_$_', task_queue => 'mallory', maximum_attempts => 1)}) for sort keys %attempts;
sql_as('mallory', q{
	CREATE FUNCTION mallory.call(name text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_activity(name, result => name);
	END $$;
	SELECT temporal.register_workflow('mallory.call', task_queue => 'mallory')});
like(outcome('mallory', 'call', qq{"steal_$_"}), qr/permission denied for schema root/, "$_ does not help") for sort keys %attempts;

# What runs later runs as the same role: at commit, when rows are written, when
# a cursor is made to last, in a function with the rights of its owner.
sql_as('mallory', q{
	CREATE TABLE mallory.later (how text, who text);
	CREATE FUNCTION mallory.note(how text) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO mallory.later VALUES (how, session_user || ' ' || current_user);
		RETURN true;
	END $$;
	CREATE FUNCTION mallory.noting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.note(TG_ARGV[0]); RETURN NULL; END $$;
	CREATE FUNCTION mallory.sneaky() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN mallory.note('definer'); END $$;
	CREATE TABLE mallory.trap (a integer CHECK (mallory.note('check')), UNIQUE (a) DEFERRABLE INITIALLY DEFERRED);
	CREATE CONSTRAINT TRIGGER t AFTER INSERT ON mallory.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.noting('deferred');
	CREATE FUNCTION mallory.later() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO mallory.trap VALUES (1);
		PERFORM mallory.sneaky();
		EXECUTE $c$DECLARE held CURSOR WITH HOLD FOR SELECT mallory.note('held')$c$;
		CREATE TEMP TABLE mine (a integer);
		CREATE CONSTRAINT TRIGGER t AFTER INSERT ON mine DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.noting('temporary');
		RETURN 'set';
	END $$;
	SELECT temporal.register_activity('mallory.later', task_queue => 'mallory')});
like(outcome('mallory', 'call', '"later"'), qr/"set"/, 'what is left for later');
is(sql(q{SELECT string_agg(DISTINCT how, ' ' ORDER BY how) || ': ' || string_agg(DISTINCT who, ',') FROM mallory.later}),
	'check deferred definer: mallory mallory', 'runs as the role, or not at all');

note 'names found by the path of the role';

# The whole process has this path, not only the function.
sql(q{
	SET ROLE mallory;
	CREATE FUNCTION mallory.tell() RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		IF current_user OPERATOR(pg_catalog.<>) 'mallory' THEN
			RAISE LOG 'attacked as %', current_user;
		END IF;
		RETURN true;
	END $$;
	DO $$
	DECLARE
		f record;
		n integer := 0;
		types regtype[] := '{uuid,text,bigint,integer,smallint,timestamptz,name}';
	BEGIN
		FOR f IN SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r, proname
			FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode
			WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b' AND oprresult = 'bool'::regtype
			AND oprleft = ANY (types) AND oprright = ANY (types)
		LOOP
			n := n + 1;
			EXECUTE format('CREATE FUNCTION mallory.operator%s(a %s, b %s) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM mallory.tell(); RETURN pg_catalog.%I(a, b); END $f$',
				n, f.l, f.r, f.proname);
			EXECUTE format('CREATE OPERATOR mallory.%s (leftarg = %s, rightarg = %s, function = mallory.operator%s)', f.oprname, f.l, f.r, n);
		END LOOP;
	END $$;
	RESET ROLE;
	ALTER ROLE mallory SET search_path = mallory, pg_catalog, temporal;
	ALTER ROLE mallory SET statement_timeout = '1ms';
	ALTER ROLE mallory SET default_transaction_read_only = on;
	ALTER ROLE mallory SET default_transaction_isolation = 'serializable';
	ALTER ROLE mallory SET row_security = off;
	SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'temporal executor';
	SELECT temporal.start_workflow('ask_mallory', workflow_id => 'by path ' || i, task_queue => 'mallory') FROM generate_series(1, 5) i;
});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 5 FROM temporal.workflows WHERE workflow_id LIKE 'by path%' AND status = 'Completed'}),
	'a role whose settings are strange is served');
unlike(slurp_file($node->logfile), qr/LOG:  attacked as/, 'no function of its own is called as anybody else');
sql('ALTER ROLE mallory RESET ALL');

note 'a function that another owner may have replaced';

sql(q{ALTER FUNCTION mallory.later() OWNER TO alice;
	SELECT temporal.start_workflow('call', '"later"', workflow_id => 'given away')});
ok($node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM temporal.pending_activities WHERE workflow_id = 'given away'
	AND last_failure LIKE '%is not owned by role "mallory"%')}), 'is not called');
sql(q{ALTER FUNCTION mallory.call(text) OWNER TO alice;
	SELECT temporal.start_workflow('call', '"later"', workflow_id => 'taken away')});
like(first_failure('taken away'), qr/is not owned by role "mallory"/, 'nor is a workflow');

note 'what is left behind';

# One process, that finds what it has left itself.
sql(q{SELECT temporal.terminate_workflow(workflow_id) FROM temporal.workflows WHERE status = 'Running';
	SELECT temporal.unregister_workflow(name) FROM temporal.registrations WHERE kind = 'workflow';
	SELECT temporal.unregister_activity(name) FROM temporal.registrations WHERE kind = 'activity';
	ALTER SYSTEM SET temporal.executors = 1; SELECT pg_reload_conf()});
sql_as('alice', q{
	CREATE FUNCTION alice.looks() RETURNS text LANGUAGE sql AS $$
		SELECT concat_ws(' ', current_setting('work_mem'), current_setting('search_path'), current_setting('role'), to_regclass('pg_temp.mine'),
			(SELECT string_agg(objid::text, ',') FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objsubid IN (1, 2)),
			(SELECT string_agg(name, ',') FROM pg_cursors), (SELECT string_agg(name, ',') FROM pg_prepared_statements)) $$;
	CREATE FUNCTION alice.leaves() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		SET work_mem = '77kB';
		SET LOCAL search_path = pg_temp;
		CREATE TEMP TABLE mine ();
		PERFORM pg_advisory_lock(7), pg_advisory_lock_shared(8, 9);
		EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT 1';
		PREPARE p AS SELECT 1;
		RETURN 'left';
	END $$;
	CREATE FUNCTION alice.fails() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM alice.leaves();
		RAISE EXCEPTION 'it fails';
	END $$;
	CREATE FUNCTION alice.flow(how text) RETURNS jsonb LANGUAGE plpgsql AS $$
	DECLARE
		what text;
		seen jsonb := jsonb_build_object('before', temporal.execute_activity('looks'));
	BEGIN
		CASE how
			WHEN 'activity' THEN PERFORM temporal.execute_activity('leaves');
			WHEN 'failure' THEN
				BEGIN
					PERFORM temporal.execute_activity('fails', maximum_attempts => 1);
				EXCEPTION WHEN SQLSTATE 'TF011' THEN
				END;
			WHEN 'local activity' THEN PERFORM temporal.execute_local_activity('leaves');
			WHEN 'steps' THEN
				FOREACH what IN ARRAY ARRAY['SET work_mem = 77', 'SET LOCAL search_path = pg_temp', 'CREATE TEMP TABLE mine ()', 'SELECT 1 FROM pg_advisory_lock(7)',
					'PREPARE p AS SELECT 1', 'DECLARE held CURSOR WITH HOLD FOR SELECT 1'] LOOP
					PERFORM temporal.step(what, what);
				END LOOP;
			WHEN 'body' THEN
				SET work_mem = '77kB';
				SET LOCAL search_path = pg_temp;
				PERFORM pg_advisory_lock(7);
		END CASE;
		PERFORM temporal.sleep('1 ms');
		RETURN seen || jsonb_build_object('after', temporal.execute_activity('looks'), 'local', temporal.execute_local_activity('looks'));
	END $$;
	SELECT temporal.register_workflow('alice.flow', task_queue => 'alice');
	SELECT temporal.register_activity('alice.' || f, task_queue => 'alice') FROM unnest(ARRAY['looks', 'leaves', 'fails']) f});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'temporal executor'});
my $clean;
for my $how ('activity', 'failure', 'local activity', 'steps', 'body')
{
	# Twice: the second time its type is known to wait after steps.
	for (1, 2)
	{
		my $result = outcome('alice', 'flow', qq{"$how"});
		my ($after) = $result =~ /"after": "(.*?[^\\])"/;

		$clean //= $result =~ /"before": "(.*?[^\\])"/ ? $1 : $result;
		is($after, $clean, "$how leaves nothing to an activity") or diag($result);
		like($result, qr/"local": "\Q$clean\E"/, "$how leaves nothing to a local activity") if $how ne 'body';
	}
}
like($clean, qr/^4MB /, 'nothing is left before');

# What ends with the transaction lasts that long.
sql_as('alice', q{
	CREATE TABLE alice.seen (what text);
	CREATE TABLE alice.trap (a integer);
	CREATE FUNCTION alice.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO alice.seen SELECT alice.looks(); RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER t AFTER INSERT ON alice.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION alice.look();
	CREATE FUNCTION alice.locks(a integer) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock(4711);
		INSERT INTO alice.trap VALUES (a);
		RETURN 'locked';
	END $$;
	CREATE FUNCTION alice.call(name text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity(name, 1, maximum_attempts => 1, result => name); END $$;
	CREATE FUNCTION alice.pends(a integer) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		CREATE TEMP TABLE mine (a integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
		INSERT INTO mine VALUES (1), (1);
		UPDATE mine SET a = 2 WHERE ctid = (SELECT min(ctid) FROM mine);
		RETURN 'pending';
	END $$;
	SELECT temporal.register_workflow('alice.call', task_queue => 'alice'), temporal.register_activity('alice.locks', task_queue => 'alice'), temporal.register_activity('alice.pends', task_queue => 'alice')});
like(outcome('alice', 'call', '"locks"'), qr/"locked"/, 'an activity takes a lock for its transaction');
like(sql('SELECT what FROM alice.seen'), qr/ 4711$/, 'which it has until the commit');
like(outcome('alice', 'call', '"pends"'), qr/has pending trigger events/, 'a temporary table that cannot be dropped is a failure of its function');
like(outcome('alice', 'call', '"locks"'), qr/"locked"/, 'and of nobody else');

done_testing();
