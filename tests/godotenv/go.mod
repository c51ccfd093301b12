module upgrade-guard/tests/godotenv

go 1.21

require github.com/joho/godotenv v1.2.0
