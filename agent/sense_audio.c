/* audio: recordings as mu-law bytes, 8,000 a second, whatever they are made of.
 *
 * libsndfile reads them as floats; channels are mixed by their mean. Samples are taken as lasting
 * for their whole period, and each byte is their mean over 1/8,000 s: exact in integers for every
 * rate. As a filter this is crude: of what lies above 4 kHz some comes back as noise below. */
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/sense_parts.h"
#include "model/mulaw.h"

#define BYTES_PER_S 8000
#define CHANNELS_MAX 8
#define RATE_MAX 768000
#define FRAMES 256 /* read at once */

struct chirr_sense_audio {
    SNDFILE *file;
    int channels, rate;
    sf_count_t frames_left; /* to read */
    float frames[FRAMES * CHANNELS_MAX];
    int frame_count, frame_next;

    /* A second has rate · BYTES_PER_S ticks: a sample lasts BYTES_PER_S of them, a byte `rate`. */
    int sample;
    int ticks_left; /* of the sample */
    int ticks;      /* in `sum` */
    int64_t sum;
};

static bool refuse(struct chirr_source *source, uint64_t *counter)
{
    struct chirr_sense_audio *audio = source->files.audio;
    (*counter)++;
    if (audio->file != NULL) {
        sf_close(audio->file);
    }
    free(audio);
    source->files.audio = NULL;
    return false;
}

static bool open_audio(struct chirr_source *source, int fd, const char *path)
{
    struct chirr_source_counters *counters = &source->counters;
    struct chirr_sense_audio *audio = calloc(1, sizeof *audio);
    SF_INFO info = {0};
    source->files.audio = audio;
    if (audio == NULL) {
        close(fd);
        counters->errors++;
        return false;
    }
    audio->file = sf_open_fd(fd, SFM_READ, &info, 1); /* closes `fd`, even when it fails */
    if (audio->file == NULL) {
        chirr_sense_complain(source, "%.300s: %.100s", path, sf_strerror(NULL));
        return refuse(source, &counters->files_unreadable);
    }
    if (info.channels > CHANNELS_MAX || info.samplerate < 1 || info.samplerate > RATE_MAX) {
        chirr_sense_complain(source,
                             "%.300s: expected at most %d channels of 1 to %d Hz, got %d of %d",
                             path, CHANNELS_MAX, RATE_MAX, info.channels, info.samplerate);
        return refuse(source, &counters->files_misfit);
    }
    audio->channels = info.channels;
    audio->rate = info.samplerate;
    audio->frames_left =
        info.frames > 0
            ? (sf_count_t)chirr_sense_learned_part(&source->config, (uint64_t)info.frames)
            : 0;
    return audio->frames_left > 0 || refuse(source, &counters->files_empty);
}

/* False at the end of what is to be read, or where the file breaks off, which is counted. */
static bool read_frames(struct chirr_source *source, struct chirr_sense_audio *audio)
{
    sf_count_t wanted = audio->frames_left < FRAMES ? audio->frames_left : FRAMES;
    sf_count_t got = wanted > 0 ? sf_readf_float(audio->file, audio->frames, wanted) : 0;
    source->counters.files_unreadable += got < wanted;
    audio->frames_left = got < wanted ? 0 : audio->frames_left - got;
    audio->frame_count = (int)got;
    audio->frame_next = 0;
    return got > 0;
}

/* The mean of the channels, 16 bits; what is no number is silence. */
static int mix(const struct chirr_sense_audio *audio)
{
    const float *frame = audio->frames + audio->frame_next * audio->channels;
    float sum = 0;
    for (int i = 0; i < audio->channels; i++) {
        sum += frame[i];
    }
    float sample = sum / (float)audio->channels * 32768.0f;
    if (!(sample == sample)) {
        return 0;
    }
    return (int)lrintf(fminf(fmaxf(sample, -32767.0f), 32767.0f));
}

static bool next_sample(struct chirr_source *source, struct chirr_sense_audio *audio)
{
    if (audio->frame_next == audio->frame_count && !read_frames(source, audio)) {
        return false;
    }
    audio->sample = mix(audio);
    audio->frame_next++;
    audio->ticks_left = BYTES_PER_S;
    return true;
}

/* What does not fill a whole byte at the end is dropped. */
static size_t read_audio(struct chirr_source *source, uint8_t *buffer, size_t capacity, bool *ended)
{
    struct chirr_sense_audio *audio = source->files.audio;
    size_t count = 0;
    while (count < capacity) {
        if (audio->ticks_left == 0 && !next_sample(source, audio)) {
            *ended = true;
            break;
        }
        int wanted = audio->rate - audio->ticks;
        int ticks = audio->ticks_left < wanted ? audio->ticks_left : wanted;
        audio->sum += (int64_t)audio->sample * ticks;
        audio->ticks += ticks;
        audio->ticks_left -= ticks;
        if (audio->ticks == audio->rate) {
            buffer[count++] = chirr_mulaw_encode((int16_t)(audio->sum / audio->rate));
            audio->ticks = 0;
            audio->sum = 0;
        }
    }
    return count;
}

static void close_audio(struct chirr_source *source)
{
    sf_close(source->files.audio->file);
    free(source->files.audio);
    source->files.audio = NULL;
}

const struct chirr_decoder chirr_decoder_audio = {
    .scheme = "audio:",
    .wanted = "a readable recording",
    .items = true,
    .open = open_audio,
    .read = read_audio,
    .close = close_audio,
};
