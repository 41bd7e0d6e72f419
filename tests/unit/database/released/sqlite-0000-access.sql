-- key of the administrator: mun_mlhjxuzjhney3u4x_jezhh57jnzyfl3mfhd4icw3wrcmfhhx2k4uv2bfkwyc7rqcavena
BEGIN TRANSACTION;
CREATE TABLE access_keys (
            id VARCHAR(16) NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            digest VARCHAR(64) NOT NULL,
            created_at DOUBLE PRECISION NOT NULL,
            created_by TEXT NOT NULL,
            expires_at DOUBLE PRECISION,
            revoked_at DOUBLE PRECISION,
            used_at DOUBLE PRECISION
        );
INSERT INTO "access_keys" VALUES('mlhjxuzjhney3u4x','administrator','d3db9e433b15af9c9fb879230173e5aab9664984b6126d2c1cf9794a10b1cfbe',1.79589633154690575598e+09,'ada <mailto:ada@example.org>',NULL,NULL,NULL);
INSERT INTO "access_keys" VALUES('yiclp23f54pytlv5','alice','3145260f19e61e15605f73c19a695ff688168bbdb601957537a7332446cc4663',1.79589633155644702914e+09,'ada <mailto:ada@example.org>',NULL,1.79589633156382417677e+09,NULL);
CREATE TABLE access_realms (
            label VARCHAR(64) NOT NULL PRIMARY KEY,
            rev INTEGER NOT NULL,
            issuer TEXT NOT NULL UNIQUE,
            settings TEXT NOT NULL,
            deprecated BOOLEAN NOT NULL,
            created_at DOUBLE PRECISION NOT NULL,
            created_by TEXT NOT NULL,
            changed_at DOUBLE PRECISION NOT NULL,
            changed_by TEXT NOT NULL
        );
INSERT INTO "access_realms" VALUES('museum',1,'https://sso.example.org','{"label": "museum", "issuer": "https://sso.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}',0,1.79589633157155323028e+09,'ada',1.79589633157155323028e+09,'ada');
INSERT INTO "access_realms" VALUES('old',2,'https://old.example.org','{"label": "old", "issuer": "https://old.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}',1,1.79589633157318568227e+09,'ada',1.79589633158684277539e+09,'');
CREATE TABLE access_rules (
            address VARCHAR(130) NOT NULL,
            rev INTEGER NOT NULL,
            acl TEXT NOT NULL,
            changed_at DOUBLE PRECISION NOT NULL,
            changed_by TEXT NOT NULL,
            PRIMARY KEY (address, rev)
        );
INSERT INTO "access_rules" VALUES('/',1,'{"keys/users/administrator": ["admin"]}',1.79589633154828715328e+09,'ada <mailto:ada@example.org>');
INSERT INTO "access_rules" VALUES('/museum',1,'{"keys/users/alice": ["resources/read"]}',1.79589633155703020097e+09,'ada <mailto:ada@example.org>');
INSERT INTO "access_rules" VALUES('/museum/photos',1,'{"keys/users/alice": ["resources/write"]}',1.79589633156640839572e+09,'é');
CREATE TABLE access_state (schema_version INTEGER NOT NULL, data_version BIGINT NOT NULL);
INSERT INTO "access_state" VALUES(1,8);
CREATE INDEX access_keys_name ON access_keys (name);
COMMIT;
