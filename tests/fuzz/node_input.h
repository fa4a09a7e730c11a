/* What a fuzzer's bytes mean to a node: every field is chosen from a small pool, so that it hits
 * what the node knows, or just misses it. */
#ifndef CHIRR_TESTS_FUZZ_NODE_INPUT_H
#define CHIRR_TESTS_FUZZ_NODE_INPUT_H

#include "proto/message.h"

#define NODE_INPUT_AGENTS 12 /* sample_agent(0) is the node itself */
#define NODE_INPUT_TASKS 24

/* Bytes to read from; past their end they are all zero. */
struct node_input {
    const uint8_t *at;
    const uint8_t *end;
    uint64_t incarnation; /* of the node: stamps lie round it */
};

/* Below `bound`, which is 1…256. */
uint32_t node_input_below(struct node_input *input, uint32_t bound);
uint64_t node_input_u64(struct node_input *input);
/* From 0 and 1 over what is near the node's own to the greatest of all. */
uint64_t node_input_incarnation(struct node_input *input);
/* Of the pool by its number, below NODE_INPUT_AGENTS: sample_agent, which takes a digest, at hand.
 */
chirr_agent_id node_input_id(uint32_t index);
/* The node itself included, and one who has no card. */
chirr_agent_id node_input_agent(struct node_input *input);
chirr_task_id node_input_task(struct node_input *input);

/* A message of any kind. Its variable parts live until the next call. Most are valid; the caller
 * finds out. */
void node_input_message(struct node_input *input, struct chirr_message *message);
/* A record as a durable store might give it back. */
void node_input_record(struct node_input *input, struct chirr_record *record);

#endif
