// The shell.
//
//   line      pipeline { ; pipeline | & pipeline } [ & ]
//   pipeline  command { "|" command }
//   command   words, and < file, > file, >> file in between
//
//   Words are separated by blanks; "..." and '...' keep blanks together; # begins a
//   comment.  & does not wait.  cd and exit are done by the shell itself.  A name
//   without / is looked for in /bin, then here.
//
//   sh            asks for lines              sh file     reads them from a file
//   sh -c "line"  does that line
//
// A line is cut into words, and then each pipeline is started from the words alone:
// one child for each command, with pipes between them.

#include "lib/user.h"

enum { MAX_LINE = 512, MAX_WORDS = 64, MAX_STAGES = 8 };

// A word, or one of the signs ; & | < > and >> ('A').
struct token {
    char sign;  // 0: a word
    char *text;
};

struct command {
    char *words[MAX_ARGUMENTS + 1];
    int count;
    const char *input, *output;
    bool append;
};

static bool interactive;
static int last_status;

// ---- words ----

static const char signs[] = ";&|<>";

static bool ends_word(char c) { return c == ' ' || c == '\t' || strchr(signs, c); }

// Cut a line into tokens; the text of words goes to `store`.  Their number, or -1.
static int cut(const char *line, struct token *tokens, char *store) {
    int count = 0;
    while (*line) {
        if (*line == ' ' || *line == '\t') {
            line++;
            continue;
        }
        if (*line == '#') break;
        if (count == MAX_WORDS) return -1;
        struct token *token = &tokens[count++];
        if (strchr(signs, *line)) {
            *token = (struct token){*line++, NULL};
            if (token->sign == '>' && *line == '>') {
                token->sign = 'A';
                line++;
            }
            continue;
        }
        *token = (struct token){0, store};
        char quote = 0;
        for (; *line && (quote || !ends_word(*line)); line++) {
            if (quote ? *line == quote : *line == '"' || *line == '\'')
                quote = quote ? 0 : *line;
            else
                *store++ = *line;
        }
        *store++ = 0;
        if (quote) return -1;
    }
    return count;
}

// ---- running ----

// Make an open file known under another number.
static void use_as(int file, int number) {
    if (file == number) return;
    close(number);
    dup(file);
    close(file);
}

static void redirect(const char *path, int flags, int number) {
    int file = open(path, flags);
    if (file < 0) fail(path, file);
    use_as(file, number);
}

// Become the program of a command; never returns.
static void run_command(struct command *command) {
    char path[MAX_PATH];
    const char *name = command->words[0];
    if (command->input) redirect(command->input, O_READ, 0);
    int how = command->append ? O_APPEND : O_TRUNCATE;
    if (command->output) redirect(command->output, O_WRITE | O_CREATE | how, 1);
    if (!strchr(name, '/')) {
        snprintf(path, sizeof path, "/bin/%s", name);
        exec(path, command->words);
    }
    int error = exec(name, command->words);
    if (error == -ENOEXEC) {  // a script
        char *script[] = {"sh", command->words[0], NULL};
        exec("/bin/sh", script);
    }
    fail(name, error);
}

// Start one command of a pipeline with these files as input and output; its pid.
// `unused` is the other end of its output pipe.
static int start(struct command *command, int input, int output, int unused) {
    int pid = fork();
    if (pid < 0) fail("fork", pid);
    if (pid > 0) return pid;
    if (unused >= 0) close(unused);
    use_as(input, 0);
    use_as(output, 1);
    run_command(command);
    return 0;
}

// Start all commands of a pipeline, wait for all, and end with the status of the last.
static void run_stages(struct command *commands, int count) {
    int input = 0, last = 0, status = 0, pid, result = 0;
    for (int i = 0; i < count; i++) {
        int files[2] = {-1, 1};
        int error = i + 1 < count ? pipe(files) : 0;
        if (error) fail("pipe", error);
        last = start(&commands[i], input, files[1], files[0]);
        if (input != 0) close(input);
        if (files[1] != 1) close(files[1]);
        input = files[0];
    }
    while ((pid = wait(&status)) > 0)
        if (pid == last) result = status;
    exit(result);
}

// Run a pipeline in a child of the shell.  If somebody sits there, the child begins a
// group of its own, so that ctrl-C ends it and its children and not the shell.
static void run_pipeline(struct command *commands, int count, bool background) {
    int pid = fork(), done;
    if (pid < 0) {
        fprintf(2, "sh: fork: %s\n", error_name(pid));
        return;
    }
    if (pid == 0) {
        if (interactive) setgroup();
        if (interactive && !background) foreground(getpid());
        if (count == 1) run_command(commands);
        run_stages(commands, count);
    }
    if (background) {
        if (interactive) printf("[%d]\n", pid);
        return;
    }
    do done = wait(&last_status);
    while (done > 0 && done != pid);
    if (interactive) foreground(0);
}

// cd and exit must be done in the shell's own process.
static bool run_builtin(struct command *command) {
    const char *name = command->words[0], *word = command->words[1];
    if (strcmp(name, "cd") == 0) {
        int error = chdir(word ? word : "/");
        if (error) fprintf(2, "cd: %s: %s\n", word, error_name(error));
        last_status = error != 0;
        return true;
    }
    if (strcmp(name, "exit") == 0) exit(word ? (int)to_number(word) : last_status);
    return false;
}

// ---- lines ----

static void complain(const char *why) {
    fprintf(2, "sh: %s\n", why);
    last_status = 2;
}

// Put the tokens up to the next ; or & into commands.  The number of tokens taken,
// or -1 if they make no sense.
static int parse(struct token *tokens, int count, struct command *commands, int *stages) {
    *stages = 0;
    struct command *command = NULL;
    int i = 0;
    for (; i < count && tokens[i].sign != ';' && tokens[i].sign != '&'; i++) {
        if (!command) {
            if (*stages == MAX_STAGES) return -1;
            command = &commands[(*stages)++];
            memset(command, 0, sizeof *command);
        }
        char sign = tokens[i].sign;
        if (sign == 0) {
            if (command->count == MAX_ARGUMENTS) return -1;
            command->words[command->count++] = tokens[i].text;
        } else if (sign == '|') {
            if (command->count == 0 || i + 1 == count) return -1;
            command = NULL;
        } else {
            if (i + 1 == count || tokens[i + 1].sign) return -1;
            const char *file = tokens[++i].text;
            if (sign == '<') command->input = file;
            else command->output = file;
            command->append = sign == 'A';
        }
    }
    for (int n = 0; n < *stages; n++)
        if (commands[n].count == 0) return -1;
    return i;
}

static void run_line(const char *line) {
    static struct token tokens[MAX_WORDS];
    static struct command commands[MAX_STAGES];
    static char store[2 * MAX_LINE];
    int count = strlen(line) < MAX_LINE ? cut(line, tokens, store) : -1, stages;
    if (count < 0) return complain("a quote is missing, or the line is too long");
    for (int at = 0; at < count; at++) {
        int taken = parse(tokens + at, count - at, commands, &stages);
        if (taken < 0) return complain("this line makes no sense");
        at += taken;
        bool background = at < count && tokens[at].sign == '&';
        if (stages == 0) {
            if (at < count) return complain("a command is missing");
            continue;
        }
        if (stages == 1 && run_builtin(&commands[0])) continue;
        run_pipeline(commands, stages, background);
    }
}

int main(int argc, char *argv[]) {
    static struct reader reader;
    static char line[MAX_LINE];
    program_name = "sh";
    if (argc > 2 && strcmp(argv[1], "-c") == 0) {
        run_line(argv[2]);
        return last_status;
    }
    interactive = argc == 1;
    if (argc > 1) {
        reader.file = open(argv[1], O_READ);
        if (reader.file < 0) fail(argv[1], reader.file);
    }
    for (;;) {
        if (interactive) printf("$ ");
        if (!read_line(&reader, line, sizeof line)) break;
        run_line(line);
    }
    if (interactive) printf("\n");
    return last_status;
}
