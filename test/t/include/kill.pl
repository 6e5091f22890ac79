# What tests share that kill a whole server.

use strict;
use warnings;

# All processes at once, as a power cut would.  The dead postmaster may have
# nobody who reaps it, and would pass for a running one.
sub kill_server
{
	my ($node) = @_;
	my $postmaster = $node->{_pid};
	my @pids = ($postmaster, split ' ', `pgrep -P $postmaster`);

	kill 'KILL', @pids;
	for my $pid (@pids)
	{
		select(undef, undef, undef, 0.05) while `ps -o stat= -p $pid` =~ /^[^Z]/;
	}
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	$node->_update_pid(0);
}

1;
