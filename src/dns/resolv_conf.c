/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolv_conf.h"

#include "base/buf.h"

enum { WORDS_MAX = 256 };

static void push(struct arena *a, struct str_list *list, struct str word)
{
	if (!list->p) {
		list->p = ARENA_ARRAY(a, WORDS_MAX, struct str);
	}
	if (list->n < WORDS_MAX) {
		list->p[list->n++] = word;
	}
}

static void push_unique(struct arena *a, struct str_list *list, struct str word)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->p[i], word)) {
			return;
		}
	}
	push(a, list, word);
}

/* The next word between blanks; unset at the end. */
static struct str next_word(struct str *line)
{
	size_t n = 0;

	*line = str_trim(*line);
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t') {
		n++;
	}
	struct str word = str_sub(*line, 0, n);
	*line = str_from(*line, n);
	return word;
}

static void push_words(struct arena *a, struct str_list *list, struct str line)
{
	for (struct str word = next_word(&line); word.n > 0; word = next_word(&line)) {
		push(a, list, word);
	}
}

int resolv_conf_parse(struct arena *a, struct str text, struct resolv_conf *ret)
{
	struct resolv_conf conf = {0};
	struct str line;

	if (text.n > RESOLV_FILE_MAX) {
		return ERR_LIMIT;
	}
	while (str_cut(&text, '\n', &line)) {
		struct str key = next_word(&line);
		if (str_is(key, "nameserver")) {
			struct str word = next_word(&line);
			if (word.n > 0) {
				push(a, &conf.nameservers, word);
			}
		} else if (str_is(key, "search") || str_is(key, "domain")) {
			conf.searches.n = 0;
			push_words(a, &conf.searches, line);
		} else if (str_is(key, "options")) {
			push_words(a, &conf.options, line);
		}
	}
	/* "search ." means no search, and upstream drops it */
	if (conf.searches.n == 1 && str_is(conf.searches.p[0], ".")) {
		conf.searches.n = 0;
	}
	*ret = conf;
	return 0;
}

static void copy_list(struct arena *a, struct str_list *to, const struct str_list *from)
{
	for (size_t i = 0; i < from->n; i++) {
		push(a, to, from->p[i]);
	}
}

static void cluster_first(struct arena *a, const struct resolv_conf_pod *pod,
			  struct resolv_conf *conf)
{
	struct str d = pod->cluster_domain;

	push(a, &conf->nameservers, pod->cluster_dns);
	if (d.n > 0) {
		push(a, &conf->searches,
		     arena_printf(a, "%.*s.svc.%.*s", STR_ARG(pod->ns), STR_ARG(d)));
		push(a, &conf->searches, arena_printf(a, "svc.%.*s", STR_ARG(d)));
		push(a, &conf->searches, d);
	}
	for (size_t i = 0; i < pod->host->searches.n; i++) {
		push_unique(a, &conf->searches, pod->host->searches.p[i]);
	}
	push(a, &conf->options, STR("ndots:5"));
}

/* The name before ':'. */
static struct str option_name(struct str option)
{
	struct str rest = option, name = option;

	(void)str_cut(&rest, ':', &name);
	return name;
}

/* The pod's own come on top: servers and searches are added, an option replaces one of the same name. */
static void add_config(struct arena *a, const struct core_pod_dns_config *config,
		       struct resolv_conf *conf)
{
	for (size_t i = 0; i < config->nameservers.n; i++) {
		push_unique(a, &conf->nameservers, config->nameservers.p[i]);
	}
	for (size_t i = 0; i < config->searches.n; i++) {
		push_unique(a, &conf->searches, config->searches.p[i]);
	}
	for (size_t i = 0; i < config->options.n; i++) {
		const struct core_pod_dns_config_option *o = &config->options.p[i];
		struct str text =
			o->value && o->value->n > 0
				? arena_printf(a, "%.*s:%.*s", STR_ARG(o->name), STR_ARG(*o->value))
				: o->name;
		size_t k = 0;
		while (k < conf->options.n && !str_eq(option_name(conf->options.p[k]), o->name)) {
			k++;
		}
		if (k < conf->options.n) {
			conf->options.p[k] = text;
		} else {
			push(a, &conf->options, text);
		}
	}
}

static void join(struct buf *out, const struct str_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0) {
			buf_puts(out, " ");
		}
		buf_add_str(out, list->p[i]);
	}
}

static void limit(struct arena *a, struct resolv_conf *conf, struct str *ret_warning)
{
	struct buf out CLEANUP_BUF = {0};
	size_t chars = 0, keep = 0;

	*ret_warning = STR_NULL;
	if (conf->nameservers.n > RESOLV_NAMESERVERS_MAX) {
		conf->nameservers.n = RESOLV_NAMESERVERS_MAX;
		buf_puts(&out, "Nameserver limits were exceeded, some nameservers have been "
			       "omitted, the applied nameserver line is: ");
		join(&out, &conf->nameservers);
	}
	while (keep < conf->searches.n && keep < RESOLV_SEARCHES_MAX) {
		chars += conf->searches.p[keep].n + (keep > 0);
		if (chars > RESOLV_SEARCH_CHARS_MAX) {
			break;
		}
		keep++;
	}
	if (keep < conf->searches.n) {
		conf->searches.n = keep;
		buf_add_str(&out, out.n ? STR("; ") : STR(""));
		buf_puts(&out, "Search Line limits were exceeded, some search paths have been "
			       "omitted, the applied search line is: ");
		join(&out, &conf->searches);
	}
	if (out.n > 0) {
		*ret_warning = arena_str(a, buf_str(&out));
	}
}

static struct str render(struct arena *a, const struct resolv_conf *conf)
{
	struct buf out CLEANUP_BUF = {0};

	if (conf->searches.n > 0) {
		buf_puts(&out, "search ");
		join(&out, &conf->searches);
		buf_puts(&out, "\n");
	}
	for (size_t i = 0; i < conf->nameservers.n; i++) {
		buf_printf(&out, "nameserver %.*s\n", STR_ARG(conf->nameservers.p[i]));
	}
	if (conf->options.n > 0) {
		buf_puts(&out, "options ");
		join(&out, &conf->options);
		buf_puts(&out, "\n");
	}
	return arena_str(a, buf_str(&out));
}

static bool fits_one_line(const struct str_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_find_char(list->p[i], '\n') >= 0 || str_find_char(list->p[i], '\r') >= 0) {
			return false;
		}
	}
	return true;
}

int resolv_conf_render(struct arena *a, const struct resolv_conf_pod *pod, struct str *ret_text,
		       struct str *ret_warning, struct err *err)
{
	struct resolv_conf conf = {0};
	struct str policy = pod->dns_policy.n ? pod->dns_policy : STR("ClusterFirst");
	bool with_net = str_is(policy, "ClusterFirstWithHostNet");
	bool first = str_is(policy, "ClusterFirst");

	if (!first && !with_net && !str_is(policy, "Default") && !str_is(policy, "None")) {
		return err_set(err, ERR_INVALID, "unknown dnsPolicy %.*s", STR_ARG(policy));
	}
	if (pod->cluster_dns.n > 0 && (with_net || (first && !pod->host_network))) {
		cluster_first(a, pod, &conf);
	} else if (!str_is(policy, "None")) {
		copy_list(a, &conf.nameservers, &pod->host->nameservers);
		copy_list(a, &conf.searches, &pod->host->searches);
		copy_list(a, &conf.options, &pod->host->options);
	}
	if (pod->config) {
		add_config(a, pod->config, &conf);
	}
	if (!fits_one_line(&conf.nameservers) || !fits_one_line(&conf.searches) ||
	    !fits_one_line(&conf.options)) {
		return err_set(err, ERR_INVALID, "dnsConfig holds a line break");
	}
	limit(a, &conf, ret_warning);
	*ret_text = render(a, &conf);
	return 0;
}
