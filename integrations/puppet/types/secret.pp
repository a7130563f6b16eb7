# A secret of Belay's, as `belay token add` printed it. Sensitive keeps it out of reports and of PuppetDB.
type Belay::Secret = Variant[Sensitive[Pattern[/\A\S+\z/]], Pattern[/\A\S+\z/]]
