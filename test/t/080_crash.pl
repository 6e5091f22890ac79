# Processes of the server are killed while workflows go on: nothing is lost and
# nothing happens twice.  A short run of what "make soak" does for minutes.

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
temporal.check_state = on
});
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION temporal');

my $folder = PostgreSQL::Test::Utils::tempdir();
{
	local %ENV = $node->_get_env(PGDATABASE => 'postgres', PGDATA => $node->data_dir);
	my $report = qx(perl test/soak/crash --kills 8 --workflows 40 $folder 2>&1);
	is($?, 0, 'nothing is lost and nothing happens twice') or diag($report);
}
$node->_update_pid(-1);
$node->stop('immediate');

done_testing();
