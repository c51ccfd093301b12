package apt_test

func witness() {}
