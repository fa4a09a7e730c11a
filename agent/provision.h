/* What a local fleet needs before its first agent starts: directories, keys, ports, files.
 *
 * Every agent gets STATE/NAME/ with its identity, STATE/NAME.yaml to be started with, and the
 * fleet's one keyring, STATE/keyring, that lists all of them and the key of STATE/operator, with
 * which `chirr trust` signs. Identities and keyring of an earlier run are kept, and so stays out
 * who was removed. Ports that the fleet leaves open ("*") are chosen here, so that every agent can be told
 * where the others are; all of them are held bound until every one is found, and then let go.
 * Nothing is started. Reads the random source of the system; used before any thread starts. */
#ifndef CHIRR_AGENT_PROVISION_H
#define CHIRR_AGENT_PROVISION_H

#include "agent/config.h"

#define CHIRR_PROVISION_SEEDS 5 /* agents of the fleet that each is told of; the rest is gossip */

/* How far ahead in the list of agents the seed number `index` of each agent stands, from 0; 0: there
 * is no such seed. */
uint32_t chirr_provision_seed_distance(uint32_t index, uint32_t agent_count);

/* Makes `path` (0700) and what is missing above it. CHIRR_ERR_IO: cannot be made or is no
 * directory. */
CHIRR_NODISCARD enum chirr_err chirr_provision_directory(const char *path,
                                                         struct chirr_error *error);

/* Fills in directories, keyring, endpoints and seeds of every agent under fleet->state_dir, and
 * writes the files. CHIRR_ERR_BUSY: a port is in use (names agent and port); CHIRR_ERR_CONFIG: an
 * endpoint is none; CHIRR_ERR_IO. */
CHIRR_NODISCARD enum chirr_err chirr_provision_fleet(struct chirr_fleet_config *fleet,
                                                     struct chirr_error *error);

#endif
