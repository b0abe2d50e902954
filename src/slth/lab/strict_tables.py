"""The migration of stores of schema 1: strict tables with checks, and checksums.

Released, and so never changed: stores that went through it exist.
"""

SQL = """
ALTER TABLE trials RENAME TO old_trials;
ALTER TABLE plans RENAME TO old_plans;
CREATE TABLE trials (
    key TEXT NOT NULL,
    pruning TEXT NOT NULL CHECK (pruning IN ('neurons', 'weights')),
    readout TEXT NOT NULL CHECK (readout IN ('linear', 'relu')),
    d INTEGER NOT NULL CHECK (d >= 0),
    eps REAL CHECK (eps >= 0),
    width INTEGER CHECK (width >= 0),
    draw INTEGER NOT NULL CHECK (draw >= 0),
    seed INTEGER NOT NULL CHECK (seed >= 0),
    contender TEXT,
    max_width INTEGER CHECK (max_width >= 0),
    search_seconds REAL CHECK (search_seconds >= 0),
    trial_seconds REAL CHECK (trial_seconds >= 0),
    refuted INTEGER CHECK (refuted >= 0),
    bound REAL CHECK (bound >= 0),
    found INTEGER CHECK (found >= 0),
    error_lower REAL CHECK (error_lower >= 0),
    error_upper REAL CHECK (error_upper >= 0),
    kept_units INTEGER CHECK (kept_units >= 0),
    kept_weights INTEGER CHECK (kept_weights >= 0),
    state TEXT NOT NULL CHECK (state IN ('done', 'timeout', 'failed', 'interrupted')),
    status TEXT CHECK (status IN ('closed', 'open', 'optimal', 'feasible', 'reached', 'refuted',
'unknown')),
    tried INTEGER CHECK (tried >= 0),
    message TEXT,
    seconds REAL NOT NULL CHECK (seconds >= 0),
    slth TEXT NOT NULL,
    after TEXT NOT NULL,
    ticket TEXT,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    finished REAL NOT NULL CHECK (finished >= 0),
    PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;
CREATE TABLE plans (
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    toml TEXT NOT NULL,
    slth TEXT NOT NULL,
    started REAL NOT NULL CHECK (started >= 0),
    PRIMARY KEY (key)
) STRICT;
CREATE TABLE checksums (
    of TEXT NOT NULL,
    key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (of, key)
) STRICT, WITHOUT ROWID;
INSERT INTO trials (key, pruning, readout, d, eps, width, draw, seed, contender, max_width,
search_seconds, trial_seconds, refuted, bound, found, error_lower, error_upper, kept_units,
kept_weights, state, status, tried, message, seconds, slth, after, ticket, attempts, finished)
SELECT key, pruning, readout, d, eps, width, draw, seed, contender, max_width, search_seconds,
trial_seconds, refuted, bound, found, error_lower, error_upper, kept_units, kept_weights, state,
status, tried, message, seconds, slth, after, ticket, attempts, finished FROM old_trials;
INSERT INTO plans (key, name, toml, slth, started) SELECT key, name, toml, slth, started FROM
old_plans;
DROP TABLE old_trials;
DROP TABLE old_plans;
"""
