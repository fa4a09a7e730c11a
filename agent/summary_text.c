/* The closing summary in words, for a person who sees chirr for the first time. */
#include <inttypes.h>
#include <math.h>

#include "agent/summary.h"
#include "agent/table.h"

static void put_number(FILE *out, int width, int decimals, double value)
{
    if (isfinite(value)) {
        fprintf(out, "%*.*f", width, decimals, value);
    } else {
        fprintf(out, "%*s", width, "-");
    }
}

static void put_jobs(FILE *out, const struct chirr_summary *summary)
{
    const struct chirr_workload_counts *jobs = &summary->jobs;
    if (jobs->planned == 0) {
        fprintf(out, "Jobs         none: this fleet has no workload\n");
        return;
    }
    fprintf(out,
            "Jobs         %" PRIu32 " submitted: %" PRIu32 " done, %" PRIu32 " failed, %" PRIu32
            " lost",
            jobs->accepted, jobs->done, jobs->failed, jobs->open);
    if (jobs->cancelled > 0) {
        fprintf(out, ", %" PRIu32 " cancelled", jobs->cancelled);
    }
    fprintf(out, "\n");
    if (jobs->reauctioned > 0 || jobs->ended_twice > 0) {
        fprintf(out,
                "             %" PRIu32 " given out again (owner lost, or returned), %" PRIu32
                " seen to end twice\n",
                jobs->reauctioned, jobs->ended_twice);
    }
    if (jobs->refused > 0) {
        fprintf(out, "             %" PRIu32 " more were refused by every agent\n", jobs->refused);
    }
    if (jobs->planned > jobs->accepted + jobs->refused) {
        fprintf(out, "             %" PRIu32 " more were never submitted: the time was over\n",
                jobs->planned - jobs->accepted - jobs->refused);
    }
    if (summary->kills > 0) {
        fprintf(out,
                "             %" PRIu32 " killed with kill -9 on the way, %" PRIu32
                " started again: %s\n",
                summary->kills, summary->restarts,
                jobs->open == 0 ? "no job was lost" : "JOBS WERE LOST");
    } else if (summary->restarts > 0) {
        fprintf(out, "             %" PRIu32 " agents had to be started again\n",
                summary->restarts);
    }
}

static void put_bits_row(FILE *out, const char *what, const struct chirr_bits *bits)
{
    fprintf(out, "  %-38s", what);
    put_number(out, 9, 3, bits->start);
    put_number(out, 9, 3, bits->alone);
    put_number(out, 9, 3, bits->swarm);
    if (isfinite(bits->swarm) && isfinite(bits->alone)) {
        fprintf(out, "  %+.3f", bits->swarm - bits->alone);
    }
    fprintf(out, "\n");
}

static void put_bits(FILE *out, const struct chirr_summary *summary)
{
    if (isnan(summary->own.swarm) && isnan(summary->own_heldout.start) &&
        isnan(summary->heldout.start)) {
        return;
    }
    fprintf(out, "\nBits per byte to predict a text (less is better; means over agents)\n");
    fprintf(out, "  %-38s%9s%9s%9s  swarm-alone\n", "", "at start", "alone", "in swarm");
    put_bits_row(out, "own text, each byte before learning it", &summary->own);
    put_bits_row(out, "own kind of text, parts it never reads", &summary->own_heldout);
    put_bits_row(out, "all kinds mixed, parts held out", &summary->heldout);
    fprintf(out,
            "  \"alone\" is a second model in each agent that learns from the same bytes and\n"
            "  hears nobody; \"at start\" it had learned nothing; in the first row: the first\n"
            "  4,096 bytes of the stream\n");
}

static void put_predictions(FILE *out, const struct chirr_prediction_halves *halves)
{
    if (halves->second_count == 0) {
        fprintf(out, "\nPredictions  no job had a predicted duration\n");
        return;
    }
    fprintf(out, "\nPredictions  a job's real duration was typically off its prediction by a\n"
                 "             factor of ");
    if (halves->first_count > 0) {
        fprintf(out, "%.2f in the first %" PRIu32 " jobs and ", exp(halves->first),
                halves->first_count);
    }
    fprintf(out, "%.2f in the last %" PRIu32 "\n", exp(halves->second), halves->second_count);
}

static void put_makespan(FILE *out, const struct chirr_summary *summary)
{
    const struct chirr_spread *random = &summary->makespan_random_s;
    if (!isfinite(summary->makespan_swarm_s)) {
        return;
    }
    fprintf(out, "Makespan     %.1f s from the first arrival to the last end of %" PRIu32 " jobs\n",
            summary->makespan_swarm_s, summary->makespan_jobs);
    if (isfinite(random->mean)) {
        fprintf(out,
                "             %.1f s ± %.1f (%.1f to %.1f) had agents been drawn at\n"
                "             random: simulated %d times from the measured durations, scaled\n"
                "             by CPU share; no auction%s in there\n",
                random->mean, random->deviation, random->least, random->greatest,
                CHIRR_SUMMARY_RANDOM_DRAWS, summary->kills > 0 ? " and no kill" : "");
    }
}

static void put_wire(FILE *out, const struct chirr_snapshot_totals *totals)
{
    char records[CHIRR_TABLE_BYTES_TEXT];
    char knowledge[CHIRR_TABLE_BYTES_TEXT];
    char membership[CHIRR_TABLE_BYTES_TEXT];
    chirr_table_format_bytes(totals->wire_records, records);
    chirr_table_format_bytes(totals->wire_knowledge, knowledge);
    chirr_table_format_bytes(totals->wire_membership, membership);
    fprintf(out, "On the wire  records %s, knowledge %s, membership %s (received)\n", records,
            knowledge, membership);
    fprintf(out, "Dropped      ");
    for (uint32_t i = 0; i < totals->drops.count; i++) {
        fprintf(out, "%s%s %" PRIu64, i > 0 ? ", " : "", totals->drops.reasons[i].reason,
                totals->drops.reasons[i].count);
    }
    fprintf(out, "%s\n", totals->drops.count == 0 ? "nothing" : "");
}

static void put_agents(FILE *out, const struct chirr_summary *summary)
{
    fprintf(out, "\n%-36s  %-17s  %-17s\n", "", "bits, own text", "bits, mix");
    fprintf(out, "%-10s %-7s %4s %4s %6s  %5s %5s %5s  %5s %5s %5s\n", "agent", "device", "cpu",
            "jobs", "busy s", "start", "alone", "swarm", "start", "alone", "swarm");
    for (uint32_t i = 0; i < summary->agent_count; i++) {
        const struct chirr_summary_agent *agent = &summary->agents[i];
        const char *killed = agent->kills > 0 ? " killed" : "";
        fprintf(out, "%-10.10s %-7.7s %4.2f %4" PRIu32 " %6.1f", agent->name, agent->device,
                agent->capacity.cpu_share, agent->jobs, agent->busy_s);
        const struct chirr_bits *columns[] = {&agent->bits.own, &agent->bits.heldout};
        for (int c = 0; c < 2; c++) {
            put_number(out, 7, 3, columns[c]->start);
            put_number(out, 6, 3, columns[c]->alone);
            put_number(out, 6, 3, columns[c]->swarm);
        }
        fprintf(out, "%s\n", agent->ready ? killed : " down");
    }
}

static void put_verdict(FILE *out, const char *what, enum chirr_verdict verdict,
                        const char *const words[])
{
    fprintf(out, "  %-12s %s\n", what, words[verdict]);
}

static void put_verdicts(FILE *out, const struct chirr_summary *summary)
{
    static const char *const own[] = {
        [CHIRR_VERDICT_UNKNOWN] = "own text: not known",
        [CHIRR_VERDICT_BETTER] = "own text: yes, agents predict it better than alone",
        [CHIRR_VERDICT_EQUAL] = "own text: no, nothing gained or lost",
        [CHIRR_VERDICT_WORSE] = "own text: NO, agents predict it worse than alone",
    };
    static const char *const unread[] = {
        [CHIRR_VERDICT_UNKNOWN] = "more of its kind: not known",
        [CHIRR_VERDICT_BETTER] = "more of its kind: yes, better than alone",
        [CHIRR_VERDICT_EQUAL] = "more of its kind: no, nothing gained or lost",
        [CHIRR_VERDICT_WORSE] = "more of its kind: NO, worse than alone",
    };
    static const char *const mix[] = {
        [CHIRR_VERDICT_UNKNOWN] = "all kinds of text: not known",
        [CHIRR_VERDICT_BETTER] = "all kinds of text: yes, better than alone",
        [CHIRR_VERDICT_EQUAL] = "all kinds of text: no, nothing gained or lost",
        [CHIRR_VERDICT_WORSE] = "all kinds of text: NO, worse than alone",
    };
    static const char *const allocation[] = {
        [CHIRR_VERDICT_UNKNOWN] = "not known",
        [CHIRR_VERDICT_BETTER] = "yes, the jobs ended sooner than under random assignment",
        [CHIRR_VERDICT_EQUAL] = "no, the jobs ended when they would have under random assignment",
        [CHIRR_VERDICT_WORSE] = "NO, the jobs ended later than under random assignment",
    };
    static const char *const predictions[] = {
        [CHIRR_VERDICT_UNKNOWN] = "not known",
        [CHIRR_VERDICT_BETTER] = "yes, predictions got better with experience",
        [CHIRR_VERDICT_EQUAL] = "no, predictions stayed as good as they were",
        [CHIRR_VERDICT_WORSE] = "NO, predictions got worse",
    };
    fprintf(out, "\nDid the swarm help?\n");
    put_verdict(out, "knowledge", chirr_summary_knowledge_verdict(&summary->own), own);
    put_verdict(out, "", chirr_summary_knowledge_verdict(&summary->own_heldout), unread);
    put_verdict(out, "", chirr_summary_knowledge_verdict(&summary->heldout), mix);
    put_verdict(out, "allocation", chirr_summary_allocation_verdict(summary), allocation);
    put_verdict(out, "learning", chirr_summary_prediction_verdict(&summary->predictions),
                predictions);
}

void chirr_summary_print(const struct chirr_summary *summary, FILE *out)
{
    fprintf(out, "\nSwarm %s: %" PRIu32 " agents, %.0f s%s\n\n", summary->swarm,
            summary->agent_count, summary->duration_s,
            summary->interrupted ? " (interrupted)" : "");
    put_jobs(out, summary);
    put_makespan(out, summary);
    put_wire(out, &summary->totals);
    put_bits(out, summary);
    put_predictions(out, &summary->predictions);
    put_agents(out, summary);
    put_verdicts(out, summary);
    fflush(out);
}
