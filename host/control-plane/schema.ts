/** The tables. A step that was released is never changed; the next one follows it. */
export const MIGRATIONS: readonly string[] = [
  `
  -- Secrets of the control plane itself: the key that signs tokens, the key that seals tickets.
  CREATE TABLE secrets (
    name text PRIMARY KEY,
    value jsonb NOT NULL
  );

  CREATE TABLE tenants (
    id text PRIMARY KEY,
    prefix cidr NOT NULL,
    -- Host part of the next address; addresses are not used again while fresh ones are left.
    next_host integer NOT NULL DEFAULT 1,
    -- The history of the network that gateways follow.
    epoch text NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    -- From which the preshared key of every pair is derived.
    pair_secret text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    EXCLUDE USING gist (prefix inet_ops WITH &&)
  );

  CREATE TABLE claims (
    id text PRIMARY KEY,
    tenant text NOT NULL REFERENCES tenants,
    -- Of the token; the token itself is shown once and not kept.
    digest text NOT NULL UNIQUE,
    uses integer NOT NULL CHECK (uses > 0),
    used integer NOT NULL DEFAULT 0 CHECK (used <= uses),
    expires timestamptz NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    revoked boolean NOT NULL DEFAULT false,
    created timestamptz NOT NULL DEFAULT now()
  );

  CREATE TABLE gateways (
    id text PRIMARY KEY,
    tenant text NOT NULL REFERENCES tenants,
    name text NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'quarantined', 'revoked', 'left')),
    reason text,
    -- base64 of 32 bytes; null once the device has left.
    identity_key text UNIQUE,
    address inet NOT NULL,
    public_key text NOT NULL,
    -- Known to peers beside the present one while the key changes, and the one before it for the way back.
    next_public_key text,
    previous_public_key text,
    key_since timestamptz NOT NULL DEFAULT now(),
    rotation jsonb,
    endpoint text,
    -- Names of the last starts, newest first.
    boots text[] NOT NULL DEFAULT '{}',
    device jsonb NOT NULL DEFAULT '{}',
    settings jsonb,
    created timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz,
    UNIQUE (tenant, address)
  );
  CREATE INDEX gateways_of_tenant ON gateways (tenant);

  CREATE TABLE redemptions (
    claim text NOT NULL REFERENCES claims,
    request text NOT NULL,
    gateway text NOT NULL REFERENCES gateways,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (claim, request)
  );

  -- Which gateway each version of a tenant's network is about.
  CREATE TABLE changes (
    tenant text NOT NULL REFERENCES tenants,
    version bigint NOT NULL,
    gateway text NOT NULL,
    PRIMARY KEY (tenant, version)
  );

  CREATE TABLE audit (
    at timestamptz NOT NULL DEFAULT now(),
    tenant text,
    actor text NOT NULL,
    action text NOT NULL,
    subject text,
    detail jsonb NOT NULL DEFAULT '{}'
  );
  CREATE INDEX audit_by_time ON audit (at);
  `,
  `
  -- An address that was given up and is still answered to, until every living peer knows the new one; and the version
  -- of the network at which a gateway's own addresses changed last.
  ALTER TABLE gateways ADD COLUMN previous_address inet, ADD COLUMN address_move jsonb,
    ADD COLUMN address_version bigint NOT NULL DEFAULT 0;
  -- Why an operator has stopped its site traffic.
  ALTER TABLE gateways ADD COLUMN shutdown text;
  `,
];
