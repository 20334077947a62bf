/* bond: the client of a Bondstore server. */
#include "cli/command.h"
#include "cli/say.h"

#include <curl/curl.h>
#include <locale.h>
#include <sodium.h>

int main(int argc, char **argv)
{
    (void)setlocale(LC_CTYPE, "");
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        say("the crypto or HTTP library does not start; reinstall libsodium and libcurl");
        return OUTCOME_FAILED;
    }

    enum outcome outcome = command_main(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say("could not write the output; is the disk full or the pipe closed?");
        return outcome == OUTCOME_OK ? OUTCOME_FAILED : (int)outcome;
    }
    curl_global_cleanup();
    return (int)outcome;
}
