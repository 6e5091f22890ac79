# The process that serves gRPC follows its settings, comes and goes with the
# extension, and survives what befalls the rest of the server.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $timeout = $PostgreSQL::Test::Utils::timeout_default;
my ($port, $other_port) = map { PostgreSQL::Test::Cluster::get_free_port() } 1 .. 2;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
fsync = off
restart_after_crash = on
max_worker_processes = 20
});
$node->start;

# The first frame of a server that speaks HTTP/2 is SETTINGS (type 4).
sub answers
{
	my ($wanted) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $wanted) or return 0;
	my $answer = '';

	$socket->syswrite("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");
	$socket->sysread($answer, 9 - length $answer, length $answer) or return 0 while length $answer < 9;
	return ord(substr $answer, 3, 1) == 4;
}

sub becomes
{
	my ($condition, $name) = @_;
	my $tries = 5 * $timeout;

	while ($tries-- > 0 && !$condition->()) { select undef, undef, undef, 0.1; }
	ok($condition->(), $name);
}

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub frontend_pid
{
	return sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'temporal frontend'});
}

sub set_and_reload
{
	my ($setting) = @_;

	sql("ALTER SYSTEM SET $setting");
	$node->reload;
}

sql('CREATE EXTENSION temporal');
ok( $node->poll_query_until('postgres', q{
	SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'temporal keeper')}),
	'a keeper runs');
is(frontend_pid(), '', 'without a port there is no frontend');

set_and_reload("temporal.grpc_port = $port");
becomes(sub { answers($port) }, 'setting a port starts one');
my $pid = frontend_pid();
is(sql('SELECT pid FROM temporal.stat_frontend()'), $pid, 'it counts what it does');

set_and_reload("temporal.grpc_port = $other_port");
becomes(sub { answers($other_port) && !answers($port) }, 'it moves to another port');
is(frontend_pid(), $pid, 'and stays the same process');

my $offset = -s $node->logfile;
set_and_reload("temporal.grpc_listen_addresses = '0.0.0.0'");
ok($node->wait_for_log(qr/gRPC is not served: address "0.0.0.0"/, $offset),
	'it does not listen for strangers');
becomes(sub { !answers($other_port) }, 'and serves nobody then');
set_and_reload("temporal.grpc_listen_addresses = '127.0.0.1'");
becomes(sub { answers($other_port) }, 'until the address is one of this machine');

my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1);
$offset = -s $node->logfile;
set_and_reload("temporal.grpc_port = $port");
ok($node->wait_for_log(qr/gRPC is not served: could not listen/, $offset), 'a port may be taken');
close $taken;
becomes(sub { answers($port) }, 'and is used when it is free');

sql('DROP EXTENSION temporal');
becomes(sub { frontend_pid() eq '' }, 'it goes with the extension');
sql('CREATE EXTENSION temporal');
becomes(sub { answers($port) }, 'and comes back with it');

$pid = frontend_pid();
sql("SELECT pg_terminate_backend($pid)");
becomes(sub { my $now = frontend_pid(); $now ne '' && $now ne $pid && answers($port) },
	'another one takes over when it is terminated');

kill 9, frontend_pid();
becomes(sub { answers($port) }, 'it comes back when it is killed');

ok($node->poll_query_until('postgres', 'SELECT true'), 'the server recovers');
$node->safe_psql('postgres', 'CREATE DATABASE spare');
my $idle = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
$node->safe_psql('spare', 'ALTER DATABASE postgres RENAME TO renamed');
$node->safe_psql('spare', 'ALTER DATABASE renamed RENAME TO postgres');
becomes(sub { answers($port) }, 'it makes way for who renames its database');

set_and_reload('temporal.frontends = 3');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 3 FROM temporal.stat_frontend()'), 'there may be more of them');
becomes(sub { answers($port) }, 'and they serve');

$offset = -s $node->logfile;
$node->safe_psql('spare', 'CREATE EXTENSION temporal');
ok($node->wait_for_log(qr/gRPC is not served: port $port serves another database/, $offset),
	'a port belongs to one database');

$pid = sql(q{SELECT max(pid) FROM temporal.stat_frontend()});
sql("SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 3 AND bool_and(pid <> $pid) FROM temporal.stat_frontend()"),
	'one that is terminated is replaced');
$node->safe_psql('spare', 'DROP EXTENSION temporal');

set_and_reload('temporal.frontends = 1');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM temporal.stat_frontend()'), 'they go when the setting says so');
becomes(sub { answers($port) }, 'and the one that stays serves');

set_and_reload('temporal.grpc_port = 0');
becomes(sub { frontend_pid() eq '' }, 'without a port it goes');

# Of fewer descriptors than clients, which it does not ask for again and again.
sub cpu_seconds
{
	my ($of) = @_;
	my @fields = split ' ', slurp_file("/proc/$of/stat") =~ s/.*\)//sr;

	return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

set_and_reload("temporal.grpc_port = $port");
$node->stop;
$offset = -s $node->logfile;
system_or_bail('bash', '-c', 'ulimit -n 200; exec pg_ctl -w -D "$0" -l "$1" start >"$1.start"', $node->data_dir, $node->logfile);
$node->_update_pid(1);
becomes(sub { answers($port) }, 'it serves with few descriptors');
my @clients = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) } 1 .. 250;
ok($node->wait_for_log(qr/could not accept a gRPC connection/, $offset), 'they run out');
$pid = frontend_pid();
my $before = cpu_seconds($pid);
ok(!IO::Select->new($clients[-1])->can_read(1), 'the last client waits');
cmp_ok(cpu_seconds($pid) - $before, '<', 0.1, 'and costs nothing');
close $_ foreach @clients;
becomes(sub { answers($port) }, 'it serves again when they have gone');
is(frontend_pid(), $pid, 'and is the same process');

$node->stop;
done_testing();
