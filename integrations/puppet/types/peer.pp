# A host and a port, as PuppetDB's terminus takes them: without a path.
type Belay::Peer = Pattern[/\A[^:\/\s]+:\d+\z/]
