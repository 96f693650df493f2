# Reads the head of a JUnit report of ctest and prints "N passed, N failed". Fails where a test failed
# or none ran.
match($0, /tests="[0-9]+"/)    { tests = substr($0, RSTART + 7, RLENGTH - 8) }
match($0, /failures="[0-9]+"/) { failures = substr($0, RSTART + 10, RLENGTH - 11) }
match($0, /skipped="[0-9]+"/)  { skipped = substr($0, RSTART + 9, RLENGTH - 10) }
NR == 12 { exit }
END {
    printf "%d passed, %d failed", tests - failures - skipped, failures
    if (skipped > 0) printf ", %d skipped", skipped
    print ""
    exit failures > 0 || tests == 0
}
