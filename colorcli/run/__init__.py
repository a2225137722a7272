"""Running the stages over many photos.

    Request --session--> LocalRun (`local`: the stages as threads, `channel`: queues between them) --> Outcome per job

`film` is the run of one film, `frames` its threads, `films` one after another, `mixed` photos and then films; `engine`
says how the work is spread. `ledger` knows what was made before, in the table of `rows`; `judge` says what that means
for a job; `leftovers` are what a killed process left. `preview` foretells a run from the ledger and the headers;
`doctor` examines what all of it stands on.

On a cluster a `worker` is a LocalRun without a ledger, `cluster` has Ray's actors of them, `spread` is the run that
keeps the ledger and hands them `errand`s, `cluster_session` opens it.

Of folders that lie elsewhere `far_discovery` makes jobs and `far_session` a run: `spread` with `porters` for workers,
who have a `ferry` to the store; its `far_ledger` asks stores, `ledger_copy` keeps it there, too.
"""
