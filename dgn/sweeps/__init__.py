"""Many runs: the jobs of a sweep, its page and tables, its end, and shards that merge."""
