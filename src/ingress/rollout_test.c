/* SPDX-License-Identifier: Apache-2.0 */
/* What clients don't see: endpoints that come and go, reloads, and processes that are killed, under 200 requests a second from eight addresses. */
#include "ingress/ingress.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "ingress/testbed.h"

#define CLIENTS 8
/* Each client asks every 40 ms: 200 requests a second in sum. */
#define PAUSE_MS 40

struct traffic {
	int port;
	bool may_keep_alive; /* every other client keeps its connection */
	atomic_bool stop;
	atomic_int sent, served, refused;
	atomic_int broken; /* no or a wrong answer on a connection that was opened after `since` */
	atomic_int broken_before; /* the same on one opened before */
	_Atomic int64_t since;	  /* monotonic ns */
	pthread_t threads[CLIENTS];
	struct client {
		struct traffic *traffic;
		int number;
	} clients[CLIENTS];
};

/* Not on a stack: its threads may outlive a test that failed. */
static struct traffic t;

static int64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* One request on *fd (opened if -1, and closed unless kept). No retries. */
static void ask_once(struct client *client, int *fd, int64_t *opened, int turn)
{
	struct traffic *traffic = client->traffic;
	bool keep = traffic->may_keep_alive && client->number % 2;
	struct buf out CLEANUP_BUF = {0}, in CLEANUP_BUF = {0};
	struct ask ask = {.method = turn % 2 ? "POST" : "GET",
			  .body = turn % 2 ? STR("hello") : STR_NULL};
	char from[32];

	if (*fd < 0) {
		snprintf(from, sizeof(from), "127.0.0.%d", 10 + client->number);
		*opened = mono_ns();
		*fd = dial(traffic->port, from);
		if (*fd < 0) {
			traffic->refused++;
			return;
		}
	}
	format_ask(&out, &ask, keep);
	traffic->sent++;
	if (!send_all(*fd, buf_str(&out)) || !read_message(*fd, &in) ||
	    status_of(buf_str(&in)) != 200) {
		*(*opened > traffic->since ? &traffic->broken : &traffic->broken_before) += 1;
		if (getenv("COX_VERBOSE")) {
			print_error("broken: %.*s\n", STR_ARG(buf_str(&in)));
		}
		keep = false;
	} else {
		traffic->served++;
	}
	if (!keep || str_contains(buf_str(&in), STR("\r\nConnection: close"))) {
		close(*fd);
		*fd = -1;
	}
}

static void *run_client(void *arg)
{
	struct client *client = arg;
	int64_t opened = 0, next = mono_ns();
	int fd = -1;

	for (int turn = client->number; !client->traffic->stop; turn++) {
		ask_once(client, &fd, &opened, turn);
		/* The rate of the test, not a wait for anything. */
		next += PAUSE_MS * NS_PER_MS;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
				&(struct timespec){next / NS_PER_SEC, next % NS_PER_SEC}, NULL);
	}
	if (fd >= 0) {
		close(fd);
	}
	return NULL;
}

static void traffic_stop(struct traffic *traffic)
{
	traffic->stop = true;
	for (int i = 0; i < CLIENTS && traffic->port; i++) {
		pthread_join(traffic->threads[i], NULL);
	}
	traffic->port = 0;
}

static void traffic_start(struct traffic *traffic, int port, bool may_keep_alive)
{
	traffic_stop(traffic); /* of a test that failed */
	*traffic = (struct traffic){.port = port, .may_keep_alive = may_keep_alive};
	for (int i = 0; i < CLIENTS; i++) {
		traffic->clients[i] = (struct client){traffic, i};
		assert_int_equal(pthread_create(&traffic->threads[i], NULL, run_client,
						&traffic->clients[i]),
				 0);
	}
}

/* n more requests are answered. */
static void wait_served(struct rig *rig, int n)
{
	int goal = t.served + n;

	WAIT(rig, t.served >= goal || t.broken || t.refused);
}

static const struct ingress_case web = {
	.annotations = {{"kubernetes.io/ingress.class", "nginx"},
			{"nginx.ingress.kubernetes.io/limit-rps", "100"},
			{"nginx.ingress.kubernetes.io/limit-connections", "10"}},
	.paths = {{"a.example", "/", NULL, "web"}},
};

static void start_web(struct rig *rig, struct backend *const *backends, size_t n)
{
	rig_start(rig);
	rig_set(rig, &web);
	rig_serve(rig, "web", backends, n);
	ingress_synced(rig->ic);
	WAIT(rig, ingress_is_current(rig->ic));
}

static void expect_flawless(void)
{
	assert_int_equal(t.refused, 0);
	assert_int_equal(t.broken, 0);
	assert_int_equal(t.broken_before, 0);
	assert_int_equal(t.served, t.sent);
}

/* As a rolling update: a new pod becomes ready, an old one goes once nginx has acknowledged, four times. No preStop, no delay. */
TEST(a_rolling_update_drops_no_request)
{
	struct backend pods[6], *now[2] = {&pods[0], &pods[1]};
	struct rig rig;
	pid_t pid;

	backend_start(&pods[0], "pod");
	backend_start(&pods[1], "pod");
	start_web(&rig, now, 2);
	pid = ingress_nginx_pid(rig.ic);
	traffic_start(&t, rig.http, true);
	for (size_t i = 2; i < ARRAY_LEN(pods); i++) {
		struct backend *all[] = {now[0], now[1], &pods[i]};
		int64_t revision;

		backend_start(&pods[i], "pod");
		rig_serve(&rig, "web", all, 3);
		wait_served(&rig, 40);
		revision = rig_serve(&rig, "web", &all[1], 2);
		WAIT(&rig, rig.applied >= revision);
		backend_stop(now[0]);
		now[0] = all[1];
		now[1] = all[2];
		wait_served(&rig, 40);
	}
	traffic_stop(&t);
	expect_flawless();
	assert_true(t.served > 300);
	assert_int_equal(ingress_nginx_pid(rig.ic), pid);
	rig_stop(&rig);
	backend_stop(now[0]);
	backend_stop(now[1]);
}

TEST(requests_in_flight_to_a_removed_endpoint_finish)
{
	struct backend old, young, *list[] = {&old, &young};
	struct buf out CLEANUP_BUF = {0}, in CLEANUP_BUF = {0};
	struct rig rig;
	int64_t revision;
	int fd;

	backend_start(&old, "old");
	backend_start(&young, "young");
	start_web(&rig, &list[0], 1);
	fd = dial(rig.http, NULL);
	format_ask(&out, &(struct ask){.path = "/hold"}, false);
	assert_true(send_all(fd, buf_str(&out)));
	backend_wait_holding(&old, 1);
	revision = rig_serve(&rig, "web", &list[1], 1);
	WAIT(&rig, rig.applied >= revision);
	for (int i = 0; i < 20; i++) {
		struct reply reply;

		fetch(rig.http, &(struct ask){0}, &reply);
		assert_true(reply_has(&reply, "young "));
		buf_fini(&reply.text);
	}
	backend_release(&old);
	assert_true(read_message(fd, &in) > 0);
	assert_true(str_contains(buf_str(&in), STR("old GET /hold")));
	close(fd);
	rig_stop(&rig);
	backend_stop(&old);
	backend_stop(&young);
}

TEST(a_dead_endpoint_is_retried_on_another_one)
{
	struct backend dead, alive, *list[] = {&dead, &alive};
	struct rig rig;

	backend_start(&dead, "dead");
	backend_start(&alive, "alive");
	start_web(&rig, list, 2);
	backend_stop(&dead);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(
			fetch_status(rig.http, &(struct ask){.method = i % 2 ? "POST" : "GET",
							     .body = i % 2 ? STR("x") : STR_NULL}),
			200);
	}
	rig_stop(&rig);
	backend_stop(&alive);
}

static void read_proc(const char *path, struct buf *out)
{
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf_reserve(out, 4096), 4096);

	out->n += n > 0 ? (size_t)n : 0;
}

/* Workers that do not say in their title that they are shutting down. */
static int count_accepting(struct rig *rig)
{
	struct buf children CLEANUP_BUF = {0};
	struct str rest, pid;
	char path[64];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", ingress_nginx_pid(rig->ic),
		 ingress_nginx_pid(rig->ic));
	read_proc(path, &children);
	rest = str_trim(buf_str(&children));
	while (str_cut(&rest, ' ', &pid)) {
		struct buf title CLEANUP_BUF = {0};

		snprintf(path, sizeof(path), "/proc/%.*s/cmdline", STR_ARG(pid));
		read_proc(path, &title);
		n += str_contains(buf_str(&title), STR("worker process")) &&
		     !str_contains(buf_str(&title), STR("shutting down"));
	}
	return n;
}

TEST(reloads_drop_no_request_without_keep_alive)
{
	struct backend one, *list[] = {&one};
	struct ingress_case more = {.annotations = {{"kubernetes.io/ingress.class", "nginx"}},
				    .paths = {{"b.example", "/", NULL, "web"}}};
	struct rig rig;
	int workers = (int)MIN(sysconf(_SC_NPROCESSORS_ONLN), 2L);

	backend_start(&one, "one");
	start_web(&rig, list, 1);
	traffic_start(&t, rig.http, false);
	for (int i = 0; i < 2; i++) {
		more.name = i ? "c" : "b";
		more.paths[0].host = i ? "c.example" : "b.example";
		rig_set(&rig, &more);
		WAIT(&rig, ingress_is_current(rig.ic));
		assert_int_equal(count_accepting(&rig), workers);
		assert_int_equal(fetch_status(rig.http, &(struct ask){.host = more.paths[0].host}),
				 200);
		wait_served(&rig, 20);
	}
	traffic_stop(&t);
	expect_flawless();
	rig_stop(&rig);
	backend_stop(&one);
}

/* Kills what `what` says of nginx and waits for the next one. Connections that were open may break; none is refused, and all that are opened
 * afterwards are served. */
enum victim { MASTER, EVERYBODY };

static void kill_under_traffic(enum victim victim)
{
	struct backend one, *list[] = {&one};
	struct rig rig;
	pid_t pid;

	backend_start(&one, "one");
	start_web(&rig, list, 1);
	/* Orphaned workers close idle connections when the next nginx is there; that is not what we are after. */
	traffic_start(&t, rig.http, victim == EVERYBODY);
	wait_served(&rig, 40);
	pid = ingress_nginx_pid(rig.ic);
	kill(victim == MASTER ? pid : -pid, SIGKILL);
	t.since = mono_ns();
	WAIT(&rig, ingress_nginx_pid(rig.ic) != pid && ingress_is_current(rig.ic));
	wait_served(&rig, 100);
	traffic_stop(&t);
	assert_int_equal(t.refused, 0);
	assert_int_equal(t.broken, 0);
	assert_in_range(t.broken_before, 0, victim == EVERYBODY ? CLIENTS : 0);
	/* Orphaned workers are gone with their connections. */
	WAIT(&rig, kill(-pid, 0) < 0 && errno == ESRCH);
	rig_stop(&rig);
	backend_stop(&one);
}

TEST(a_killed_nginx_comes_back_and_refuses_nobody)
{
	kill_under_traffic(EVERYBODY);
}

TEST(workers_serve_on_when_only_their_master_is_killed)
{
	kill_under_traffic(MASTER);
}

TEST(a_new_controller_adopts_the_running_nginx)
{
	struct backend one, two, *list[] = {&one, &two};
	struct buf out CLEANUP_BUF = {0}, in CLEANUP_BUF = {0};
	struct rig rig;
	int64_t revision;
	pid_t pid;
	int fd;

	backend_start(&one, "one");
	backend_start(&two, "two");
	start_web(&rig, &list[0], 1);
	pid = ingress_nginx_pid(rig.ic);
	fd = dial(rig.http, NULL);
	format_ask(&out, &(struct ask){0}, true);
	assert_true(send_all(fd, buf_str(&out)) && read_message(fd, &in) > 0);

	ingress_free(rig.ic); /* as a crash: nginx is told nothing */
	assert_int_equal(fetch_status(rig.http, &(struct ask){0}), 200);
	rig_open(&rig);
	rig_set(&rig, &web);
	revision = rig_serve(&rig, "web", &list[1], 1);
	ingress_synced(rig.ic);
	WAIT(&rig, ingress_is_current(rig.ic));
	assert_int_equal(rig.applied, revision);
	assert_int_equal(ingress_nginx_pid(rig.ic), pid);
	/* The same connection, another backend: no reload, no restart. */
	buf_clear(&in);
	assert_true(send_all(fd, buf_str(&out)) && read_message(fd, &in) > 0);
	assert_true(str_contains(buf_str(&in), STR("two GET /")));
	close(fd);

	/* And it notices the end of what it adopted. */
	kill(-pid, SIGKILL);
	WAIT(&rig, ingress_nginx_pid(rig.ic) != pid && ingress_is_current(rig.ic));
	assert_int_equal(fetch_status(rig.http, &(struct ask){0}), 200);
	rig_stop(&rig);
	backend_stop(&one);
	backend_stop(&two);
}

/* As the controller does, to the running nginx behind its back. */
static int post_update(struct rig *rig, struct str body)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct buf out CLEANUP_BUF = {0}, in CLEANUP_BUF = {0};
	int fd CLEANUP_FD = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/control.sock", rig->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	format_ask(&out, &(struct ask){.method = "POST", .path = "/update", .body = body}, false);
	assert_true(send_all(fd, buf_str(&out)));
	assert_true(recv(fd, buf_reserve(&in, 4096), 4096, 0) > 12);
	in.n = 12;
	buf_puts(&in, " ");
	return status_of(buf_str(&in));
}

TEST(an_update_is_taken_whole_or_not_at_all)
{
	static const char *const bad[] = {
		"",
		"x",
		"cox-ingress 2 full a-1\nend\n",
		"cox-ingress 1 full\nend\n",
		"cox-ingress 1 full a-1\n",
		"cox-ingress 1 full a-1\nend",
		"cox-ingress 1 full a-1\nend\nend\n",
		"cox-ingress 1 full a-1\ne default/web/80\n",
		"cox-ingress 1 full a-1\ne default/web/80\nq x\nend\n",
		"cox-ingress 1 full a-1\ne default/web/80\ne default/web\nend\n",
		"cox-ingress 1 full a-1\ne default/web/80\ne default/web/80 10.0.0.1\nend\n",
		"cox-ingress 1 full a-1\ne default/web/80\ne default/web/80 10.0.0.1:80  "
		"10.0.0.2:80\nend\n",
		"cox-ingress 1 full a-1\ne default/web/80\ne default/web/80 evil.example:80\nend\n",
		"cox-ingress 1 full a-1\ne default/web/80\nc a.example QQ==\nend\n",
		"cox-ingress 1 full a-1\ne default/web/80\nc a.example Q$ QQ==\nend\n",
	};
	struct backend one, *list[] = {&one};
	struct rig rig;

	backend_start(&one, "one");
	start_web(&rig, list, 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(post_update(&rig, str_of(bad[i])), 400);
		assert_int_equal(fetch_status(rig.http, &(struct ask){0}), 200);
	}
	assert_int_equal(post_update(&rig, STR("cox-ingress 1 b-7 b-8\ne default/web/80\nend\n")),
			 409);
	assert_int_equal(fetch_status(rig.http, &(struct ask){0}), 200);
	assert_int_equal(post_update(&rig, STR("cox-ingress 1 full a-1\nend\n")), 200);
	assert_int_equal(fetch_status(rig.http, &(struct ask){0}), 503);
	/* The controller learns by the next update that nginx holds something else, and sends everything. */
	rig_serve(&rig, "web", list, 1);
	ingress_set_service(rig.ic, make_service(&rig.arena, "default", "web", 81, "http"));
	WAIT(&rig, ingress_is_current(rig.ic));
	ingress_set_service(rig.ic, make_service(&rig.arena, "default", "web", 80, "http"));
	WAIT(&rig, ingress_is_current(rig.ic));
	assert_int_equal(fetch_status(rig.http, &(struct ask){0}), 200);
	rig_stop(&rig);
	backend_stop(&one);
}

/* Nothing we render makes nginx complain, so this one does so by itself, of the line that names poison.example. */
static const char picky_nginx[] = "#!/bin/sh\n"
				  "line=$(grep -n poison.example ${0%/*}/test.conf | cut -d: -f1)\n"
				  "case \"$* $line\" in *-t*[0-9]) echo \"[emerg] 1#1: poison in "
				  "/x/test.conf:$line\" >&2; exit 1;; esac\n"
				  "exec /usr/sbin/nginx \"$@\"\n";

TEST(a_configuration_that_nginx_refuses_is_not_applied_and_its_ingress_is_left_out)
{
	struct ingress_case more = {.name = "poison",
				    .annotations = {{"kubernetes.io/ingress.class", "nginx"}},
				    .paths = {{"b.example", "/poison.example", "Exact", "web"}}};
	struct backend one, *list[] = {&one};
	struct rig rig;
	FILE *file;

	backend_start(&one, "one");
	rig_start(&rig);
	rig.nginx_path = arena_cstr(&rig.arena, arena_printf(&rig.arena, "%s/picky", rig.dir));
	file = fopen(rig.nginx_path, "w");
	assert_true(file && fputs(picky_nginx, file) >= 0 && fchmod(fileno(file), 0700) == 0 &&
		    fclose(file) == 0);
	ingress_free(rig.ic);
	rig_open(&rig);
	rig_set(&rig, &web);
	rig_set(&rig, &more);
	rig_serve(&rig, "web", list, 1);
	ingress_synced(rig.ic);
	WAIT(&rig, ingress_is_current(rig.ic));
	assert_true(str_contains(buf_str(&rig.events),
				 STR("default/poison Rejected [emerg] 1#1: poison in ")));
	assert_int_equal(fetch_status(rig.http, &(struct ask){0}), 200);
	assert_int_equal(fetch_status(rig.http, &(struct ask){.host = "b.example"}), 404);
	/* Mended. */
	more.paths[0].path = "/";
	rig_set(&rig, &more);
	WAIT(&rig, ingress_is_current(rig.ic));
	assert_int_equal(fetch_status(rig.http, &(struct ask){.host = "b.example"}), 200);
	rig_stop(&rig);
	backend_stop(&one);
}

TEST(a_directory_that_others_can_read_is_refused)
{
	struct err err CLEANUP_ERR = {0};
	struct ingress_opts opts = {.callbacks = {rig_event, rig_status, rig_applied}};
	char dir[] = "/tmp/cox-ingress-XXXXXX";

	become_nobody();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	opts.loop = loop_new();
	opts.runtime_dir = dir;
	assert_null(ingress_new(&opts, &err));
	assert_true(str_contains(str_of(err_msg(&err)), STR("0700")));
	loop_free(opts.loop);
	rmdir(dir);
}

TEST_MAIN(a_rolling_update_drops_no_request, requests_in_flight_to_a_removed_endpoint_finish,
	  a_dead_endpoint_is_retried_on_another_one, reloads_drop_no_request_without_keep_alive,
	  a_killed_nginx_comes_back_and_refuses_nobody,
	  workers_serve_on_when_only_their_master_is_killed,
	  a_new_controller_adopts_the_running_nginx, an_update_is_taken_whole_or_not_at_all,
	  a_configuration_that_nginx_refuses_is_not_applied_and_its_ingress_is_left_out,
	  a_directory_that_others_can_read_is_refused)
