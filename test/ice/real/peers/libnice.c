/* An ICE agent of libnice behind the lines of `peer.ts`. */
#include <agent.h>
#include <stdio.h>
#include <string.h>

static NiceAgent *agent;
static guint stream;
static gboolean trickled;

/* The value of a JSON text member; our lines have no escapes. */
static char *member(const char *line, const char *name) {
  char *key = g_strdup_printf("\"%s\":\"", name);
  const char *at = strstr(line, key);
  char *value = NULL;
  if (at != NULL) {
    at += strlen(key);
    value = g_strndup(at, strcspn(at, "\""));
  }
  g_free(key);
  return value;
}

static void on_receive(NiceAgent *a, guint s, guint c, guint length, gchar *bytes, gpointer data) {
  (void)a, (void)s, (void)c, (void)data;
  /* Behind the four bytes of the disguise there is text. */
  if (length > 4) printf("{\"received\":\"%.*s\"}\n", (int)length - 4, bytes + 4);
  fflush(stdout);
}

static void on_candidate(NiceAgent *a, NiceCandidate *candidate, gpointer data) {
  (void)data;
  gchar *sdp = nice_agent_generate_local_candidate_sdp(a, candidate);
  printf("{\"candidate\":\"%s\"}\n", sdp + (strncmp(sdp, "a=", 2) == 0 ? 2 : 0));
  fflush(stdout);
  g_free(sdp);
}

static void on_gathered(NiceAgent *a, guint s, gpointer data) {
  (void)a, (void)s, (void)data;
  puts("{\"end\":true}");
  fflush(stdout);
}

static void on_state(NiceAgent *a, guint s, guint c, guint state, gpointer data) {
  (void)a, (void)s, (void)c, (void)data;
  printf("{\"state\":\"%s\"}\n", nice_component_state_to_string(state));
  fflush(stdout);
}

static gboolean on_line(GIOChannel *channel, GIOCondition condition, gpointer data) {
  (void)condition, (void)data;
  gchar *line = NULL;
  if (g_io_channel_read_line(channel, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL) exit(0);
  char *ufrag = member(line, "ufrag"), *pwd = member(line, "pwd");
  char *candidate = member(line, "candidate"), *text = member(line, "send");
  if (ufrag != NULL && pwd != NULL) {
    nice_agent_set_remote_credentials(agent, stream, ufrag, pwd);
    nice_agent_gather_candidates(agent, stream);
  }
  if (candidate != NULL) {
    /* It stops at attributes it does not know. */
    char *extension = strstr(candidate, " ufrag ");
    if (extension != NULL) *extension = 0;
    char *attribute = g_strconcat("a=", candidate, NULL);
    NiceCandidate *parsed = nice_agent_parse_remote_candidate_sdp(agent, stream, attribute);
    g_free(attribute);
    if (parsed == NULL) fprintf(stderr, "not understood: %s\n", candidate);
    else {
      GSList *list = g_slist_append(NULL, parsed);
      nice_agent_set_remote_candidates(agent, stream, 1, list);
      g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
    }
  }
  if (strstr(line, "\"end\"") != NULL && !trickled) {
    trickled = TRUE;
    nice_agent_peer_candidate_gathering_done(agent, stream);
  }
  if (text != NULL && strlen(text) > 24) {
    /* The disguise came as four escapes of six characters. */
    char *message = text + 20;
    memcpy(message, "\x04\0\0\0", 4);
    nice_agent_send(agent, stream, 1, 4 + strlen(message + 4), message);
  }
  g_free(ufrag), g_free(pwd), g_free(candidate), g_free(text), g_free(line);
  return TRUE;
}

int main(int count, char **words) {
  GMainLoop *loop = g_main_loop_new(NULL, FALSE);
  agent = nice_agent_new_full(g_main_loop_get_context(loop), NICE_COMPATIBILITY_RFC5245,
                              NICE_AGENT_OPTION_ICE_TRICKLE | NICE_AGENT_OPTION_REGULAR_NOMINATION |
                                  NICE_AGENT_OPTION_CONSENT_FRESHNESS);
  g_object_set(agent, "controlling-mode", strcmp(words[1], "controlling") == 0, "ice-tcp", FALSE, "upnp", FALSE, NULL);
  char **stun = g_strsplit(count > 2 ? words[2] : "", ":", 2);
  if (stun[0] != NULL && stun[1] != NULL)
    g_object_set(agent, "stun-server", stun[0], "stun-server-port", atoi(stun[1]), NULL);
  g_signal_connect(agent, "new-candidate-full", G_CALLBACK(on_candidate), NULL);
  g_signal_connect(agent, "candidate-gathering-done", G_CALLBACK(on_gathered), NULL);
  g_signal_connect(agent, "component-state-changed", G_CALLBACK(on_state), NULL);
  stream = nice_agent_add_stream(agent, 1);
  nice_agent_set_stream_name(agent, stream, "application");
  char **turn = g_strsplit(count > 3 ? words[3] : "", ":", 2);
  if (turn[0] != NULL && turn[1] != NULL)
    nice_agent_set_relay_info(agent, stream, 1, turn[0], atoi(turn[1]), words[4], words[5], NICE_RELAY_TYPE_TURN_UDP);
  nice_agent_attach_recv(agent, stream, 1, g_main_loop_get_context(loop), on_receive, NULL);
  gchar *ufrag, *pwd;
  nice_agent_get_local_credentials(agent, stream, &ufrag, &pwd);
  printf("{\"ufrag\":\"%s\",\"pwd\":\"%s\"}\n", ufrag, pwd);
  fflush(stdout);
  GIOChannel *input = g_io_channel_unix_new(0);
  g_io_channel_set_flags(input, G_IO_FLAG_NONBLOCK, NULL);
  g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_line, NULL);
  g_main_loop_run(loop);
  return 0;
}
